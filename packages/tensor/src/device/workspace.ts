/**
 * Buffers for intermediates, shared by all plans of a device: the queue runs plans in sequence, so two plans never
 * need their intermediates at the same time.
 */
import type { BufferPool } from "./buffers.ts";

export class Workspace {
  readonly #pool: BufferPool;
  readonly #bySize = new Map<number, GPUBuffer[]>();
  #bytes = 0;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** Bytes of all intermediate buffers. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Number of intermediate buffers. */
  get count(): number {
    let count = 0;
    for (const list of this.#bySize.values()) count += list.length;
    return count;
  }

  /** Whether the adapter had no memory for one of them: the plan that asked for it cannot run. `clear` before the next. */
  get refused(): boolean {
    return [...this.#bySize.values()].some((list) => list.some((buffer) => this.#pool.refused(buffer)));
  }

  /** One buffer for each of `sizes` (bytes), all different; later calls are given the same ones again. */
  reserve(sizes: readonly number[]): GPUBuffer[] {
    const used = new Map<number, number>();
    const take = (bytes: number): GPUBuffer => {
      const size = this.#pool.sizeFor(bytes);
      const list = this.#bySize.get(size) ?? [];
      this.#bySize.set(size, list);
      const index = used.get(size) ?? 0;
      used.set(size, index + 1);
      if (index === list.length) {
        list.push(this.#pool.acquire(size));
        this.#bytes += size;
      }
      return list[index]!;
    };
    return this.#pool.together(() => sizes.map(take));
  }

  /** Releases everything. Earlier plans must not run any more. */
  clear(): void {
    for (const list of this.#bySize.values()) for (const buffer of list) this.#pool.release(buffer);
    this.#bySize.clear();
    this.#bytes = 0;
  }
}
