import { groupNormGradient, groupNorm as kernel } from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { once } from "./once.ts";

/** Groups, scale, shift and what follows in `groupNorm`. */
export interface GroupNormOptions {
  readonly groups: number;
  /** [C] each. */
  readonly weight: Tensor;
  readonly bias: Tensor;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Applied to the result in the same pass. Default none. */
  readonly activation?: "none" | "silu";
}

/** Normalises x [N, …, C] over the pixels and channels of each group (Wu and He 2018), then scales and shifts. */
export function groupNorm(x: Tensor, options: GroupNormOptions): Tensor {
  const { groups, weight, bias, epsilon = 1e-5, activation = "none" } = options;
  const attrs = { groups, epsilon, activation };
  const all = once((gradient) =>
    record(groupNormGradient, { x, weight, bias, mean: out.mean, rstd: out.rstd, gradient }, attrs),
  );
  const out: Record<"y" | "mean" | "rstd", Tensor> = record(kernel, { x, weight, bias }, attrs, {
    x: ({ y: g }) => all(g).xGradient,
    weight: ({ y: g }) => all(g).weightGradient,
    bias: ({ y: g }) => all(g).biasGradient,
  });
  return out.y;
}
