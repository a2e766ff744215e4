/** The uniform structs of a plan in one buffer: written once, but for the numbers that are data. */
import type { Dispatch } from "../program/lower.ts";
import type { BufferPool } from "./buffers.ts";

/** Alignment of a struct inside the buffer; 256 is what every adapter accepts. */
const alignment = 256;

const align = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

export class Uniforms {
  readonly #gpu: GPUDevice;
  readonly #pool: BufferPool;
  readonly #buffer: GPUBuffer | undefined;
  /** Offset of each dispatch's struct; that of one without a struct is not used. */
  readonly offsets: readonly number[];
  /** What the buffer holds. */
  readonly #words: Uint32Array<ArrayBuffer>;
  /** Where each of the program's constants is, in words; none where no shader reads it. */
  readonly #places: (readonly number[])[] = [];
  /** Those of the run before. */
  #constants: readonly number[] | undefined;

  constructor(gpu: GPUDevice, pool: BufferPool, dispatches: readonly Dispatch[]) {
    this.#gpu = gpu;
    this.#pool = pool;
    let total = 0;
    this.offsets = dispatches.map(({ uniform }) => {
      const offset = total;
      if (uniform) total += align(uniform.byteLength);
      return offset;
    });
    this.#words = new Uint32Array(total / 4);
    dispatches.forEach(({ uniform, constants, constantsOffset }, index) => {
      if (!uniform) return;
      const start = this.offsets[index]! / 4;
      this.#words.set(new Uint32Array(uniform), start);
      constants.forEach((id, k) => {
        this.#places[id] = [...(this.#places[id] ?? []), start + constantsOffset / 4 + k];
      });
    });
    if (total === 0) return;
    this.#buffer = pool.acquireUniform(total);
    gpu.queue.writeBuffer(this.#buffer, 0, this.#words);
  }

  /** The binding of a dispatch's struct of `size` bytes. */
  binding(index: number, size: number): GPUBufferBinding {
    return { buffer: this.#buffer!, offset: this.offsets[index]!, size };
  }

  /** Before a run: writes the constants that changed since the last run. */
  update(constants: readonly number[]): void {
    if (constants === this.#constants) return;
    this.#constants = constants;
    let first = Number.POSITIVE_INFINITY;
    let last = -1;
    for (let id = 0; id < this.#places.length; id++) {
      const bits = constants[id]!;
      for (const word of this.#places[id] ?? []) {
        if (this.#words[word] === bits) continue;
        this.#words[word] = bits;
        first = Math.min(first, word);
        last = Math.max(last, word);
      }
    }
    if (last < 0) return;
    // One write of all that lies between: it costs as much as a short one.
    this.#gpu.queue.writeBuffer(this.#buffer!, 4 * first, this.#words, first, last + 1 - first);
  }

  /** Frees the buffer. Work that was submitted may still read it. */
  destroy(): void {
    if (this.#buffer) this.#pool.releaseUniform(this.#buffer);
  }
}
