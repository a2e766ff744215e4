/** GPU time of each dispatch, by timestamp queries. */
import type { Dispatch } from "../program/lower.ts";

export interface TimedDispatch {
  readonly label: string;
  readonly kernel: string;
  readonly microseconds: number;
  readonly flops: number;
  readonly bytes: number;
}

/** Collects timestamps of the dispatches of one submission. */
export class Timing {
  readonly #gpu: GPUDevice;
  readonly #queries: GPUQuerySet;
  readonly #dispatches: Dispatch[] = [];
  readonly #resolved: GPUBuffer;
  readonly #staging: GPUBuffer;

  constructor(gpu: GPUDevice, dispatches: number) {
    this.#gpu = gpu;
    const count = Math.max(2, 2 * dispatches);
    this.#queries = gpu.createQuerySet({ type: "timestamp", count });
    const size = 8 * count;
    this.#resolved = gpu.createBuffer({
      size,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    this.#staging = gpu.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  }

  /** Timestamps around the pass of the next dispatch. */
  next(dispatch: Dispatch): GPUComputePassDescriptor {
    const index = this.#dispatches.push(dispatch) - 1;
    return {
      timestampWrites: {
        querySet: this.#queries,
        beginningOfPassWriteIndex: 2 * index,
        endOfPassWriteIndex: 2 * index + 1,
      },
    };
  }

  resolve(encoder: GPUCommandEncoder): void {
    encoder.resolveQuerySet(this.#queries, 0, 2 * this.#dispatches.length, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, this.#resolved.size);
  }

  async read(): Promise<TimedDispatch[]> {
    await this.#staging.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(this.#staging.getMappedRange().slice(0));
    this.#gpu.queue.onSubmittedWorkDone().then(() => {
      for (const resource of [this.#queries, this.#resolved, this.#staging]) resource.destroy();
    });
    return this.#dispatches.map(({ label, kernel, cost }, index) => ({
      label,
      kernel,
      microseconds: Number(stamps[2 * index + 1]! - stamps[2 * index]!) / 1000,
      flops: cost?.flops ?? 0,
      bytes: cost?.bytes ?? 0,
    }));
  }
}
