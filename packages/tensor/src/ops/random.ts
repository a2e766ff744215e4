/** Random tensors by counters (Philox 4×32-10): row n depends on its key and on nothing else, on every device. */
import {
  randomInteger as integerKernel,
  randomNormal as normalKernel,
  type Shape,
  ShapeError,
  randomUniform as uniformKernel,
} from "@ddad/kernels-wgsl";
import { tensor } from "../create.ts";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { AnyTensor, Tensor } from "../tensor.ts";
import { add, mul } from "./elementwise.ts";

/** Uniform numbers in [0, 1): key u32 [N, 4] → f32 `shape` = [N, …]. */
export const randomUniform = (key: Tensor<"u32">, shape: Shape): Tensor =>
  record(uniformKernel, { key }, { shape }).y;

/** Standard normal numbers: key u32 [N, 4] → f32 `shape` = [N, …]. */
export const randomNormal = (key: Tensor<"u32">, shape: Shape): Tensor =>
  record(normalKernel, { key }, { shape }).y;

/** One integer in low … high − 1 for each key: key u32 [N, 4] → i32 [N]. */
export function randomInteger(
  key: Tensor<"u32">,
  range: { readonly low: number; readonly high: number },
): Tensor<"i32"> {
  checkOptions("randomInteger", range, ["low", "high"], "{ low: 0, high: 10 }");
  return record(integerKernel, { key }, range).y as AnyTensor as Tensor<"i32">;
}

/** What a row of random numbers is drawn for: equal coordinates give equal numbers. All are 32-bit words. */
export interface RandomRow {
  /** Which series, such as the id of an image. */
  readonly stream: number;
  /** Where in the series, such as the step of the training. */
  readonly step: number;
}

/** Keys u32 [N, 4] for `seed` (an integer up to 2^53) and these rows. */
export function randomKeys(seed: number, rows: readonly RandomRow[]): Tensor<"u32"> {
  const words = rows.flatMap(({ stream, step }) => [
    seed % 2 ** 32,
    Math.floor(seed / 2 ** 32),
    stream,
    step,
  ]);
  return tensor(words, [rows.length, 4], { dtype: "u32" });
}

/** Fresh keys for one use after another inside a network, all derived from the keys of its batch. */
export class RandomStream {
  readonly #key: Tensor<"u32">;
  readonly #secondWord: Tensor<"u32">;
  #uses = 0;

  /**
   * @param key u32 [N, 4], a row for each image of the batch.
   * @param secondWord what is added for one use; forks share it.
   */
  constructor(key: Tensor<"u32">, secondWord: Tensor<"u32"> = tensor([0, 1, 0, 0], [4], { dtype: "u32" })) {
    this.#key = key;
    this.#secondWord = secondWord;
  }

  /** Keys u32 [rows, 4] that no earlier call has given, for a tensor of as many rows as there are images. */
  next(rows: number): Tensor<"u32"> {
    if (rows !== this.#key.shape[0]) {
      throw new ShapeError(
        `RandomStream: made for ${this.#key.shape[0]} images, but asked for ${rows} rows.`,
      );
    }
    this.#uses++;
    return add(this.#key, mul(this.#secondWord, this.#uses));
  }

  /** A stream that gives what this one would give next, for work that is done more than once; see `join`. */
  fork(): RandomStream {
    const fork = new RandomStream(this.#key, this.#secondWord);
    fork.#uses = this.#uses;
    return fork;
  }

  /** Continues where a fork has got to. */
  join(fork: RandomStream): void {
    this.#uses = fork.#uses;
  }
}
