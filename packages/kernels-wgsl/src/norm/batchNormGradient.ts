/** Gradient of batch normalisation in training mode: the statistics depend on x too. */
import { check } from "../errors.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, sameShape, show, sizeOf, spec } from "../spec.ts";
import { type BatchNormAttrs, type BatchNormCall, batchCases, batchLayout, checkBatch } from "./batchNorm.ts";
import { forEachMember } from "./groupNorm.ts";
import { gradientPasses, gradientScratch, variance } from "./passes.ts";
import { normParams, normVariants } from "./slabs.ts";

const name = "batchNormGradient";

/** All positions are one image, so its sums are the results. */
const sums = { bias: "biasGradient", weight: "weightGradient" };

/**
 * Inputs x [..., C], weight [C], mean and variance [C] as batchNorm gave them, gradient of y; outputs xGradient,
 * weightGradient, biasGradient. Formula: see {@link gradientPasses}, each channel being a group.
 */
export const batchNormGradient = defineKernel({
  name,
  inputs: ["x", "weight", "mean", "variance", "gradient"],
  outputs: ["xGradient", "weightGradient", "biasGradient"],
  params: normParams,
  infer({ x, weight, mean, variance, gradient }, { epsilon }: BatchNormAttrs) {
    checkBatch(name, x, { weight, mean, variance });
    check(
      gradient.dtype === "f32",
      name,
      () => `gradient must be f32 but is ${gradient.dtype}; cast it first.`,
    );
    check(
      sameShape(gradient.shape, x.shape),
      name,
      () => `gradient must have the shape of x ${show(x.shape)} but is ${show(gradient.shape)}.`,
    );
    const { images, pixels, channels } = batchLayout(x.shape);
    return {
      outputs: {
        xGradient: spec(x.shape),
        weightGradient: spec([channels]),
        biasGradient: spec([channels]),
      },
      params: { images, pixels, epsilon },
    };
  },
  variants: normVariants(
    ({ inputs }: BatchNormCall) => batchLayout(inputs.x.shape),
    gradientScratch,
    (slabs) => gradientPasses(slabs, variance, "none", sums),
  ),
  reference({ x, weight, mean, variance, gradient }, { inputs, attrs }) {
    const layout = batchLayout(inputs.x.shape);
    const rstd = variance.map((value) => 1 / Math.sqrt(value + attrs.epsilon));
    const normal = (index: number, channel: number) => (x[index]! - mean[channel]!) * rstd[channel]!;
    const weightGradient = new Float64Array(layout.channels);
    const biasGradient = new Float64Array(layout.channels);
    forEachMember(layout, (index, channel) => {
      biasGradient[channel]! += gradient[index]!;
      weightGradient[channel]! += gradient[index]! * normal(index, channel);
    });
    const xGradient = new Float64Array(x.length);
    forEachMember(layout, (index, channel) => {
      const plain = biasGradient[channel]! / layout.pixels;
      const slope = weightGradient[channel]! / layout.pixels;
      const centred = gradient[index]! - plain - normal(index, channel) * slope;
      xGradient[index] = weight[channel]! * rstd[channel]! * centred;
    });
    return { xGradient, weightGradient, biasGradient };
  },
  cost: ({ inputs }) => ({ flops: 12 * sizeOf(inputs.x.shape), bytes: 3 * bytesOf(inputs.x) }),
  cases: batchCases((shape) => {
    const perChannel = [shape.at(-1)!];
    return {
      x: shape,
      weight: perChannel,
      mean: { shape: perChannel, fill: (_index, uniform) => uniform() - 0.5 },
      variance: { shape: perChannel, fill: (_index, uniform) => 0.5 + uniform() },
      gradient: shape,
    };
  }),
  refusals: [
    {
      inputs: { x: [2, 6], weight: [6], mean: [6], variance: [5], gradient: [2, 6] },
      attrs: { epsilon: 1e-5 },
      message: /batchNormGradient: variance must be \[6\]/,
    },
    {
      inputs: { x: [2, 6], weight: [6], mean: [6], variance: [6], gradient: [6, 2] },
      attrs: { epsilon: 1e-5 },
      message: /batchNormGradient: gradient must have the shape of x \[2, 6\] but is \[6, 2\]/,
    },
  ],
});
