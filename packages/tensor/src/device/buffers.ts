/**
 * Storage buffers: a pool that reuses released ones, and the counters behind `memory()`. Whether the adapter has the
 * memory for a new buffer is known shortly after its creation; until then it is usable.
 */
import { popScopes, pushScopes } from "./errorScopes.ts";

/** Buffers that are allocated all or none. */
interface Group {
  readonly buffers: GPUBuffer[];
  /** Whether one of them is new, so that error scopes are open. */
  scoped: boolean;
}

export class BufferPool {
  readonly #gpu: GPUDevice;
  /** `maxBufferSize` of the adapter; asking it takes a microsecond. */
  readonly #largest: number;
  readonly #onRefusal: (error: Error) => void;
  /** Released buffers by size. */
  readonly #free = new Map<number, GPUBuffer[]>();
  /** All buffers that were made and not destroyed. */
  readonly #all = new Set<GPUBuffer>();
  /** The group that buffers are acquired for at the moment. */
  #group: Group | undefined;
  /** Buffers of groups whose allocation is not confirmed yet. */
  readonly #unanswered = new Map<GPUBuffer, Promise<unknown>>();
  /** Buffers without memory behind them; undefined until there is one. */
  #refused: WeakSet<GPUBuffer> | undefined;
  #live = 0;
  #liveBytes = 0;
  #pooledBytes = 0;
  #uniformBytes = 0;

  /** @param onRefusal called where nobody awaits the answer: `acquire`, `together` */
  constructor(gpu: GPUDevice, onRefusal: (error: Error) => void) {
    this.#gpu = gpu;
    this.#largest = gpu.limits.maxBufferSize;
    this.#onRefusal = onRefusal;
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

  /** Size of the buffer that `acquire` gives: `roundUp`, unless only the bytes themselves are within what the adapter allows. */
  sizeFor(bytes: number): number {
    const size = roundUp(bytes);
    return size <= this.#largest ? size : Math.ceil(bytes / 4) * 4;
  }

  /** Bytes of the plans' uniform buffers. */
  get uniformBytes(): number {
    return this.#uniformBytes;
  }

  /** A buffer for the uniform structs of a plan. It is not reused: it goes back to the system with the plan. */
  acquireUniform(size: number): GPUBuffer {
    this.#uniformBytes += size;
    return this.#gpu.createBuffer({ size, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
  }

  releaseUniform(buffer: GPUBuffer): void {
    this.#uniformBytes -= buffer.size;
    buffer.destroy();
  }

  /** A storage buffer of at least `bytes`; its contents are undefined. */
  acquire(bytes: number): GPUBuffer {
    return this.acquireExactly(this.sizeFor(bytes));
  }

  /** The same of exactly `size` bytes, a multiple of 4. */
  acquireExactly(size: number): GPUBuffer {
    const pooled = this.#free.get(size)?.pop();
    if (pooled) this.#pooledBytes -= size;
    else if (!this.#group) return this.together(() => this.acquireExactly(size));
    this.#live++;
    this.#liveBytes += size;
    const buffer = pooled ?? this.#create(size);
    this.#group?.buffers.push(buffer);
    return buffer;
  }

  /**
   * All buffers that `acquire` takes (and may write at once) are allocated together: where the adapter has no memory for one of the
   * buffers, none of them can be used, and what they took is free again.
   */
  together<T>(acquire: () => T): T {
    return this.#group ? acquire() : this.#attempt(acquire, this.#onRefusal).result;
  }

  /**
   * The same, after the adapter confirms the memory. Where it refuses, the pool's free buffers are released for a second
   * attempt; a second refusal is an OutOfMemoryError, and nothing is kept.
   *
   * @param release gives back what `acquire` returned
   */
  async obtain<T>(acquire: () => T, release: (acquired: T) => void): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const { result, refusal } = this.#attempt(acquire);
      const error = refusal && (await refusal);
      if (!error) return result;
      release(result);
      if (attempt > 0) throw error;
      // Memory is free once the device is done with it.
      await this.#gpu.queue.onSubmittedWorkDone();
    }
  }

  /** Resolves once the allocation of all buffers handed out so far is confirmed or refused. */
  async answered(): Promise<void> {
    if (this.#unanswered.size > 0) await Promise.all(this.#unanswered.values());
  }

  /** Whether the adapter refused memory for the buffer, or for one acquired together with it. */
  refused(buffer: GPUBuffer): boolean {
    return this.#refused?.has(buffer) === true;
  }

  /** Gives a buffer back. Work already submitted may still use it: the queue runs in order. */
  release(buffer: GPUBuffer): void {
    this.#forget(buffer);
    const answer = this.#unanswered.get(buffer);
    if (answer) void answer.then(() => this.#keep(buffer));
    else this.#keep(buffer);
  }

  /** Returns a buffer of a size that no one else requests to the system. */
  discard(buffer: GPUBuffer): void {
    this.#forget(buffer);
    this.#destroy(buffer);
  }

  /** Returns the pool's memory to the system. */
  trim(): void {
    for (const list of this.#free.values()) for (const buffer of list) this.#destroy(buffer);
    this.#free.clear();
    this.#pooledBytes = 0;
  }

  /** Returns all memory to the system, even memory in use. The pool is unusable afterwards. */
  destroyAll(): void {
    for (const buffer of this.#all) this.#destroy(buffer);
    this.#free.clear();
    this.#pooledBytes = 0;
  }

  #destroy(buffer: GPUBuffer): void {
    this.#all.delete(buffer);
    buffer.destroy();
  }

  /** A new buffer for the current group. */
  #create(size: number): GPUBuffer {
    const group = this.#group!;
    if (!group.scoped) {
      group.scoped = true;
      pushScopes(this.#gpu);
    }
    const buffer = this.#gpu.createBuffer({
      size,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    this.#all.add(buffer);
    return buffer;
  }

  /** @returns `refusal`: what the adapter says against it; undefined where nothing had to be made */
  #attempt<T>(
    acquire: () => T,
    onRefusal?: (error: Error) => void,
  ): { readonly result: T; readonly refusal: Promise<Error | undefined> | undefined } {
    const group: Group = { buffers: [], scoped: false };
    this.#group = group;
    let refusal: Promise<Error | undefined> | undefined;
    let result: T;
    try {
      result = acquire();
    } finally {
      this.#group = undefined;
      if (group.scoped) {
        refusal = this.#settle(group.buffers, onRefusal);
        for (const buffer of group.buffers) this.#unanswered.set(buffer, refusal);
      }
    }
    return { result, refusal };
  }

  async #settle(
    buffers: readonly GPUBuffer[],
    onRefusal?: (error: Error) => void,
  ): Promise<Error | undefined> {
    const refusal = await popScopes(this.#gpu);
    for (const buffer of buffers) this.#unanswered.delete(buffer);
    if (!refusal) return undefined;
    this.#refused ??= new WeakSet();
    for (const buffer of buffers) {
      this.#refused.add(buffer);
      this.#destroy(buffer);
    }
    this.trim(); // may be what the next attempt lacks
    onRefusal?.(refusal);
    return refusal;
  }

  #forget({ size }: GPUBuffer): void {
    this.#live--;
    this.#liveBytes -= size;
  }

  #keep(buffer: GPUBuffer): void {
    if (this.refused(buffer)) return;
    this.#pooledBytes += buffer.size;
    const list = this.#free.get(buffer.size);
    if (list) list.push(buffer);
    else this.#free.set(buffer.size, [buffer]);
  }
}

/** Few distinct sizes, so that released buffers fit again: steps of 1/8 of the next lower power of two, at least 256. */
export function roundUp(bytes: number): number {
  if (bytes <= 256) return 256;
  const step = Math.max(256, 2 ** (Math.floor(Math.log2(bytes)) - 3));
  return Math.ceil(bytes / step) * step;
}
