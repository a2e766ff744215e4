import { type RandomStream, randomUniform, type Tensor } from "@ddad/tensor";
import { checkTensor, describeArgument } from "@ddad/tensor/internal";
import { checkFloats, checkKind } from "../arguments.ts";
import { Module } from "../module.ts";
import { rand } from "../random.ts";

/** In training sets each element to 0 with probability `p` and divides the others by 1 − p; else does nothing. */
export class Dropout extends Module {
  /** Probability that an element becomes zero in training. */
  readonly p: number;

  /** @param p default 0.5 */
  constructor(p = 0.5) {
    super();
    if (!(Number.isFinite(p) && p >= 0 && p < 1))
      throw new RangeError(`Dropout: p must be at least 0 and less than 1, but is ${describeArgument(p)}.`);
    this.p = p;
  }

  /**
   * @param x of any shape; with `random` [N, …]
   * @param random where the decisions come from: row n of x by row n of the stream's key, whatever the batch. Default: each call draws
   * anew from the generator that `setSeed` starts, also inside `compile` and `recompute`.
   */
  forward(x: Tensor, random?: RandomStream): Tensor {
    checkTensor("Dropout", "x", x);
    if (random) checkKind("Dropout", "random", random, typeof random.next === "function", "a RandomStream");
    if (!this.training || this.p === 0 || x.size === 0) return x;
    checkFloats("Dropout", "x", x);
    const drawn = random ? randomUniform(random.next(x.shape[0] ?? 1), x.shape) : rand(x.shape);
    const kept = drawn.greaterEqual(this.p);
    return x.mul(kept.cast(x.dtype)).mul(1 / (1 - this.p));
  }
}
