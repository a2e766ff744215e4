import { type RandomStream, randomUniform, type Tensor } from "@ddad/tensor";
import { Module } from "../module.ts";

/** In training sets each element to 0 with probability `p` and divides the others by 1 − p; else does nothing. */
export class Dropout extends Module {
  readonly p: number;

  constructor(p: number) {
    super();
    if (!(p >= 0 && p < 1))
      throw new RangeError(`Dropout: p must be at least 0 and less than 1, but is ${p}.`);
    this.p = p;
  }

  /**
   * @param x [N, …]
   * @param random where the decisions come from: row n of x by row n of the stream's key. Needed in training.
   */
  forward(x: Tensor, random?: RandomStream): Tensor {
    if (!this.training || this.p === 0) return x;
    if (!random) {
      throw new Error(
        `Dropout: training with p = ${this.p} needs random numbers. Pass a RandomStream to forward, or call eval().`,
      );
    }
    const kept = randomUniform(random.next(x.shape[0] ?? 1), x.shape).greaterEqual(this.p);
    return x.mul(kept.cast(x.dtype)).mul(1 / (1 - this.p));
  }
}
