import { concat, type RandomStream, randomUniform, type Tensor, tensor, Variable } from "@ddad/tensor";
import { drawOnce, isTracing } from "@ddad/tensor/internal";
import { defaultRandom } from "../init.ts";
import { Module } from "../module.ts";

/** In training sets each element to 0 with probability `p` and divides the others by 1 − p; else does nothing. */
export class Dropout extends Module {
  readonly p: number;
  /** What compiled functions draw from: a key [1, 3] and the count of its uses [1, 1], which every call counts up. */
  #compiledKey: { readonly key: Tensor<"u32">; readonly uses: Variable<"u32"> } | undefined;

  /** @param p default 0.5 */
  constructor(p = 0.5) {
    super();
    if (!(p >= 0 && p < 1))
      throw new RangeError(`Dropout: p must be at least 0 and less than 1, but is ${p}.`);
    this.p = p;
  }

  /**
   * @param x of any shape; with `random` [N, …]
   * @param random where the decisions come from: row n of x by row n of the stream's key, whatever the batch. Default: each call draws
   * anew from the generator that `setSeed` starts, also inside `compile` and `recompute`.
   */
  forward(x: Tensor, random?: RandomStream): Tensor {
    if (!this.training || this.p === 0 || x.size === 0) return x;
    const kept = this.#uniform(x, random).greaterEqual(this.p);
    return x.mul(kept.cast(x.dtype)).mul(1 / (1 - this.p));
  }

  /** Numbers in [0, 1) of x's shape. */
  #uniform(x: Tensor, random: RandomStream | undefined): Tensor {
    if (random) return randomUniform(random.next(x.shape[0] ?? 1), x.shape);
    const key = drawOnce(() => (isTracing() ? this.#nextCompiledKey() : newKey()));
    return randomUniform(key, [1, x.size]).reshape(x.shape);
  }

  /** A key that is another one in each call of the compiled function. */
  #nextCompiledKey(): Tensor<"u32"> {
    this.#compiledKey ??= {
      key: tensor(defaultRandom().key().slice(0, 3), [1, 3], { dtype: "u32" }),
      uses: new Variable(tensor([0], [1, 1], { dtype: "u32" })),
    };
    const { key, uses } = this.#compiledKey;
    const next = concat([key, uses], 1);
    uses.assign(uses.add(1));
    return next;
  }
}

const newKey = (): Tensor<"u32"> => tensor(defaultRandom().key(), [1, 4], { dtype: "u32" });
