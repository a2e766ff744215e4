import { batchNormGradient, batchNorm as kernel } from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { once } from "./once.ts";

/** Scale, shift and ε of `batchNorm`. */
export interface BatchNormOptions {
  /** [C] each. */
  readonly weight: Tensor;
  readonly bias: Tensor;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

/**
 * Batch normalisation in training mode (Ioffe and Szegedy 2015): x […, C] by the mean and the biased variance of each
 * channel over everything else. `mean` and `variance` [C] serve to update running statistics and carry no gradient.
 */
export function batchNorm(
  x: Tensor,
  { weight, bias, epsilon = 1e-5 }: BatchNormOptions,
): Record<"y" | "mean" | "variance", Tensor> {
  const attrs = { epsilon };
  const all = once((gradient) =>
    record(batchNormGradient, { x, weight, mean: out.mean, variance: out.variance, gradient }, attrs),
  );
  const out: Record<"y" | "mean" | "variance", Tensor> = record(kernel, { x, weight, bias }, attrs, {
    x: ({ y: g }) => all(g).xGradient,
    weight: ({ y: g }) => all(g).weightGradient,
    bias: ({ y: g }) => all(g).biasGradient,
  });
  return out;
}
