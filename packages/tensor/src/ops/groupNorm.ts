import { type GroupNormAttrs, groupNormGradient, groupNorm as kernel } from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import { gradientComposition } from "../autograd/gradientComposition.ts";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { add, cast, mul, rsqrt, silu, square, sub } from "./elementwise.ts";
import { mean } from "./mean.ts";
import { once } from "./once.ts";
import { reshape } from "./reshape.ts";

/** Groups, scale, shift and what follows in `groupNorm`. */
export interface GroupNormOptions {
  /** Groups of channels with a mean and a variance each; must divide C. */
  readonly groups: number;
  /** [C] each. */
  readonly weight: Tensor;
  /** [C], added last. */
  readonly bias: Tensor;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Applied to the result in the same pass. Default none. */
  readonly activation?: "none" | "silu";
}

const known = ["groups", "weight", "bias", "epsilon", "activation"] as const;

/** Normalises x [N, …, C] over the pixels and channels of each group (Wu and He 2018), then scales and shifts. */
export function groupNorm(x: Tensor, options: GroupNormOptions): Tensor {
  checkTensor("groupNorm", "x", x);
  checkOptions("groupNorm", options, known, "{ groups: 8, weight, bias }");
  const { groups, weight, bias, epsilon = 1e-5, activation = "none" } = options;
  const attrs = { groups, epsilon, activation };
  if (!x.size) {
    kernel.infer({ x, weight, bias }, attrs); // for its checks
    return cast(composed({ x: cast(x, "f32"), weight, bias }, attrs), x.dtype);
  }
  const all = once((gradient) =>
    record(
      groupNormGradient,
      { x, weight, bias, mean: out.mean, rstd: out.rstd, gradient },
      attrs,
      gradientComposition(["x", "weight", "bias"], (inputs) => composed(inputs, attrs)),
    ),
  );
  const out: Record<"y" | "mean" | "rstd", Tensor> = record(kernel, { x, weight, bias }, attrs, {
    x: ({ y: g }) => all(g).xGradient,
    weight: ({ y: g }) => all(g).weightGradient,
    bias: ({ y: g }) => all(g).biasGradient,
  });
  return out.y;
}

/** `groupNorm` in simple operations, all f32. */
function composed(
  { x, weight, bias }: Readonly<Record<"x" | "weight" | "bias", Tensor>>,
  { groups, epsilon, activation }: GroupNormAttrs,
): Tensor {
  const [images, channels] = [x.shape[0]!, x.shape.at(-1)!];
  const pixels = x.shape.slice(1, -1).reduce((product, extent) => product * extent, 1);
  const members = reshape(x, [images, pixels, groups, channels / groups]);
  const centred = sub(members, mean(members, [1, 3], { keepDims: true }));
  const variance = mean(square(centred), [1, 3], { keepDims: true });
  const normal = reshape(mul(centred, rsqrt(add(variance, epsilon))), x.shape);
  const z = add(mul(normal, weight), bias);
  return activation === "silu" ? silu(z) : z;
}
