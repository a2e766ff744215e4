/** Counters of device memory. */
import { currentDevice } from "./device/device.ts";

/** Device memory by what holds it. */
export interface Memory {
  /** Buffers of evaluated tensors and of intermediates. */
  readonly buffers: number;
  /** Their bytes. */
  readonly liveBytes: number;
  /** Bytes of released buffers that wait to be used again. */
  readonly pooledBytes: number;
  /** Bytes of the intermediates' buffers: what the largest plans so far need (part of `liveBytes`). */
  readonly plannedPeakBytes: number;
  /** Bytes of the numbers that plans pass to their shaders. A device keeps the 256 plans that ran last. */
  readonly uniformBytes: number;
}

/**
 * Runs `make`, whose tensors get memory all of them or none. Where the adapter has too little, the next evaluation rejects with
 * OutOfMemoryError, and variables that they were assigned to keep what they held.
 */
export const allOrNone = <T>(make: () => T): T => currentDevice().buffers.together(make);

/** The counters of the current device. */
export function memory(): Memory {
  const { buffers, workspace } = currentDevice();
  return {
    buffers: buffers.live,
    liveBytes: buffers.liveBytes,
    pooledBytes: buffers.pooledBytes,
    plannedPeakBytes: workspace.bytes,
    uniformBytes: buffers.uniformBytes,
  };
}
