import {
  type AnyTensor,
  detach,
  gather,
  type IndexTensor,
  ShapeError,
  type Tensor,
  where,
} from "@ddad/tensor";
import { checkOptions, checkTensor } from "@ddad/tensor/internal";
import { checkSizes } from "../arguments.ts";
import type { HostRandom } from "../hostRandom.ts";
import { type Initializer, normalInit } from "../init.ts";
import { Module } from "../module.ts";
import { type Parameter, parameter } from "../parameter.ts";

/** Options of `Embedding`. */
export interface EmbeddingOptions {
  /** An index whose vector is zero at the start and is not trained. Default: none. */
  readonly paddingIndex?: number;
  /** Initial vectors; default N(0, 1). */
  readonly init?: Initializer;
  /** Where initial values come from; default the stream that `setSeed` starts. */
  readonly random?: HostRandom | undefined;
}

/** A table of vectors that are looked up by index. */
export class Embedding extends Module {
  /** [count, features] */
  readonly weight: Parameter;
  /** The index whose vector is zero at the start and is not trained. */
  readonly paddingIndex: number | undefined;

  /**
   * @param count of indices, 0 … count − 1
   * @throws RangeError where a number is out of range, UsageError for an unknown option
   */
  constructor(count: number, features: number, options: EmbeddingOptions = {}) {
    super();
    checkOptions("Embedding", options, ["paddingIndex", "init", "random"]);
    checkSizes("Embedding", { count, features });
    const { paddingIndex, init = normalInit(1), random } = options;
    if (
      paddingIndex !== undefined &&
      !(Number.isInteger(paddingIndex) && paddingIndex >= 0 && paddingIndex < count)
    ) {
      throw new RangeError(
        `Embedding: paddingIndex must be a whole number in 0 … ${count - 1}, but is ${paddingIndex}.`,
      );
    }
    this.paddingIndex = paddingIndex;
    const padded: Initializer = (size, fan, own) => {
      const values = init(size, fan, own);
      if (paddingIndex !== undefined) values.fill(0, paddingIndex * features, (paddingIndex + 1) * features);
      return values;
    };
    this.weight = parameter([count, features], { init: padded, fan: { in: count, out: features }, random });
  }

  /**
   * @param indices i32 or u32 of any shape; negative ones count from the end, others outside of 0 … count − 1 give zeros
   * @returns [..., features]
   * @throws ShapeError where the indices are floats
   */
  forward(indices: IndexTensor): Tensor {
    checkTensor("Embedding", "the indices", indices);
    const { dtype } = indices as AnyTensor;
    if (dtype !== "i32" && dtype !== "u32") {
      throw new ShapeError(`Embedding: the indices must be i32 or u32, but are ${dtype}. Use cast("i32").`);
    }
    const vectors = gather(this.weight, indices);
    if (this.paddingIndex === undefined) return vectors;
    const padded = (indices as Tensor<"i32">).equal(this.paddingIndex).reshape([...indices.shape, 1]);
    return where(padded, detach(vectors), vectors);
  }
}
