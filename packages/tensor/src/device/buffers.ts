/** Storage buffers: a pool that hands released ones out again, and the counters behind `memory()`. */

export class BufferPool {
  readonly #gpu: GPUDevice;
  /** Released buffers by size. */
  readonly #free = new Map<number, GPUBuffer[]>();
  #live = 0;
  #liveBytes = 0;
  #pooledBytes = 0;

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu;
  }

  /** Buffers handed out and not yet released. */
  get live(): number {
    return this.#live;
  }

  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Bytes of released buffers that wait to be used again. */
  get pooledBytes(): number {
    return this.#pooledBytes;
  }

  /** A storage buffer of at least `bytes`; its contents are undefined. */
  acquire(bytes: number): GPUBuffer {
    return this.acquireExactly(roundUp(bytes));
  }

  /** The same of exactly `size` bytes, a multiple of 4. */
  acquireExactly(size: number): GPUBuffer {
    this.#live++;
    this.#liveBytes += size;
    const pooled = this.#free.get(size)?.pop();
    if (pooled) {
      this.#pooledBytes -= size;
      return pooled;
    }
    return this.#gpu.createBuffer({
      size,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
  }

  /** Gives a buffer back. Work already submitted may still use it: the queue runs in order. */
  release(buffer: GPUBuffer): void {
    this.#live--;
    this.#liveBytes -= buffer.size;
    this.#pooledBytes += buffer.size;
    const list = this.#free.get(buffer.size);
    if (list) list.push(buffer);
    else this.#free.set(buffer.size, [buffer]);
  }

  /** Returns the pool's memory to the system. */
  trim(): void {
    for (const list of this.#free.values()) for (const buffer of list) buffer.destroy();
    this.#free.clear();
    this.#pooledBytes = 0;
  }
}

/** Few distinct sizes, so that released buffers fit again: steps of 1/8 of the next lower power of two, at least 256. */
export function roundUp(bytes: number): number {
  if (bytes <= 256) return 256;
  const step = Math.max(256, 2 ** (Math.floor(Math.log2(bytes)) - 3));
  return Math.ceil(bytes / step) * step;
}
