import { batchNormGradient, batchNorm as kernel } from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import { gradientComposition } from "../autograd/gradientComposition.ts";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { add, mul, rsqrt, square, sub } from "./elementwise.ts";
import { mean } from "./mean.ts";
import { once } from "./once.ts";
import { reshape } from "./reshape.ts";
import { sum } from "./sum.ts";

/** Scale, shift and ε of `batchNorm`. */
export interface BatchNormOptions {
  /** [C] each. */
  readonly weight: Tensor;
  /** [C], added last. */
  readonly bias: Tensor;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

/**
 * Batch normalisation in training mode (Ioffe and Szegedy 2015): x […, C] by the mean and the biased variance of each
 * channel over everything else. `mean` and `variance` [C] serve to update running statistics; without elements they are NaN.
 */
export function batchNorm(x: Tensor, options: BatchNormOptions): Record<"y" | "mean" | "variance", Tensor> {
  checkTensor("batchNorm", "x", x);
  checkOptions("batchNorm", options, ["weight", "bias", "epsilon"], "{ weight, bias }");
  const { weight, bias, epsilon = 1e-5 } = options;
  const attrs = { epsilon };
  if (!x.size) {
    kernel.infer({ x, weight, bias }, attrs); // for its checks
    return composed({ x, weight, bias }, epsilon);
  }
  const withoutBias = gradientComposition(["x", "weight"], (inputs) => composed(inputs, epsilon).y);
  const all = once((gradient) =>
    record(
      batchNormGradient,
      { x, weight, mean: out.mean, variance: out.variance, gradient },
      attrs,
      (given) => ({
        ...withoutBias(given),
        biasGradient: sum(reshape(given.gradient, [positions(x), x.shape.at(-1)!]), 0),
      }),
    ),
  );
  const rules = {
    x: ({ y: g }: { y: Tensor }) => all(g).xGradient,
    weight: ({ y: g }: { y: Tensor }) => all(g).weightGradient,
    bias: ({ y: g }: { y: Tensor }) => all(g).biasGradient,
  };
  const out: Record<"y" | "mean" | "variance", Tensor> = record(
    kernel,
    { x, weight, bias },
    attrs,
    rules,
    (inputs) => composed(inputs, epsilon),
  );
  return out;
}

/** How many numbers a channel has. */
const positions = (x: Tensor): number =>
  x.shape.slice(0, -1).reduce((product, extent) => product * extent, 1);

/** `batchNorm` in simple operations. */
function composed(
  { x, weight, bias }: Readonly<Record<"x" | "weight", Tensor>> & { readonly bias?: Tensor },
  epsilon: number,
): Record<"y" | "mean" | "variance", Tensor> {
  const rows = reshape(x, [positions(x), x.shape.at(-1)!]);
  const centre = mean(rows, 0);
  const centred = sub(rows, centre);
  const variance = mean(square(centred), 0);
  const scaled = mul(mul(centred, rsqrt(add(variance, epsilon))), weight);
  return { y: reshape(bias ? add(scaled, bias) : scaled, x.shape), mean: centre, variance };
}
