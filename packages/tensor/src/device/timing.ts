/** GPU time of each dispatch, by timestamp queries. */
import type { Dispatch } from "../program/lower.ts";

export interface TimedDispatch {
  readonly label: string;
  readonly kernel: string;
  readonly microseconds: number;
  readonly flops: number;
  readonly bytes: number;
}

/** WebGPU's limit to the queries of one set. */
const queriesPerSet = 4096;

/** Collects timestamps of the dispatches of one submission. */
export class Timing {
  readonly #gpu: GPUDevice;
  readonly #sets: readonly GPUQuerySet[];
  readonly #dispatches: Dispatch[] = [];
  readonly #resolved: GPUBuffer;
  readonly #staging: GPUBuffer;

  constructor(gpu: GPUDevice, dispatches: number) {
    this.#gpu = gpu;
    const count = Math.max(2, 2 * dispatches);
    this.#sets = Array.from({ length: Math.ceil(count / queriesPerSet) }, (_, set) =>
      gpu.createQuerySet({ type: "timestamp", count: Math.min(queriesPerSet, count - set * queriesPerSet) }),
    );
    const size = 8 * count;
    this.#resolved = gpu.createBuffer({
      size,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    this.#staging = gpu.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  }

  /** Timestamps around the pass of the next dispatch. */
  next(dispatch: Dispatch): GPUComputePassDescriptor {
    const query = 2 * (this.#dispatches.push(dispatch) - 1);
    return {
      timestampWrites: {
        querySet: this.#sets[Math.floor(query / queriesPerSet)]!,
        beginningOfPassWriteIndex: query % queriesPerSet,
        endOfPassWriteIndex: (query % queriesPerSet) + 1,
      },
    };
  }

  resolve(encoder: GPUCommandEncoder): void {
    for (const [set, queries] of this.#sets.entries()) {
      encoder.resolveQuerySet(queries, 0, queries.count, this.#resolved, 8 * set * queriesPerSet);
    }
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, this.#resolved.size);
  }

  async read(): Promise<TimedDispatch[]> {
    await this.#staging.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(this.#staging.getMappedRange().slice(0));
    this.#gpu.queue.onSubmittedWorkDone().then(() => {
      for (const resource of [...this.#sets, this.#resolved, this.#staging]) resource.destroy();
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
