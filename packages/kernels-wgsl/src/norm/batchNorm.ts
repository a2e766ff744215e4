/** Batch normalisation in training mode (Ioffe and Szegedy 2015, arXiv 1502.03167), channels last. */
import { check } from "../errors.ts";
import { type Case, type CaseInput, defineKernel } from "../kernel.ts";
import { bytesOfCall, type Shape, show, sizeOf, spec, type TensorSpec } from "../spec.ts";
import { forEachMember } from "./groupNorm.ts";
import { applyPass, statisticsPasses, statisticsScratch, variance } from "./passes.ts";
import { type NormLayout, normParams, normVariants } from "./slabs.ts";

/** Attributes of `batchNorm` and its gradient. */
export interface BatchNormAttrs {
  /** Added to the variance. */
  readonly epsilon: number;
}

/** The inputs and attributes that decide a call's layout. */
export interface BatchNormCall {
  readonly inputs: Readonly<Record<"x", TensorSpec>>;
  readonly attrs: BatchNormAttrs;
}

/** All positions as one image, every channel a group of its own. */
export function batchLayout(shape: Shape): NormLayout {
  const channels = shape.at(-1)!;
  return { images: 1, pixels: sizeOf(shape) / channels, channels, groups: channels, dtype: "f32" };
}

/** x must be [..., C] and all others [C]. */
export function checkBatch(
  op: string,
  x: TensorSpec,
  perChannel: Readonly<Record<string, TensorSpec>>,
): void {
  for (const [name, { dtype }] of Object.entries({ x, ...perChannel })) {
    check(dtype === "f32", op, () => `${name} must be f32 but is ${dtype}; cast it first.`);
  }
  check(x.shape.length >= 2, op, () => `x must be [..., C] with at least two axes but is ${show(x.shape)}.`);
  const channels = x.shape.at(-1)!;
  for (const [name, { shape }] of Object.entries(perChannel)) {
    check(
      shape.length === 1 && shape[0] === channels,
      op,
      () => `${name} must be [${channels}], one number per channel of x, but is ${show(shape)}.`,
    );
  }
}

/** Test sizes of forward and gradient. */
export const batchCases = <I extends string>(
  inputs: (shape: Shape) => Record<I, CaseInput | Shape>,
): Case<I, BatchNormAttrs>[] => {
  const attrs = { epsilon: 1e-5 };
  return [
    { name: "one element", inputs: inputs([1, 1]), attrs },
    { name: "odd channels", inputs: inputs([2, 3, 5, 7]), attrs },
    { name: "slab border + 1", inputs: inputs([3, 11, 12]), attrs },
    { name: "many slabs", inputs: inputs([4099, 4]), attrs },
    { name: "[2, 16, 16, 64]", inputs: inputs([2, 16, 16, 64]), attrs, bench: true },
    { name: "[8, 64, 64, 256]", inputs: inputs([8, 64, 64, 256]), attrs, benchOnly: true },
  ];
};

/**
 * y = (x − mean) / √(variance + ε) · weight + bias with mean and biased variance over all axes but the last. Inputs
 * x [..., C], weight [C], bias [C]; outputs y (x's shape), mean [C], variance [C].
 */
export const batchNorm = defineKernel({
  name: "batchNorm",
  inputs: ["x", "weight", "bias"],
  outputs: ["y", "mean", "variance"],
  params: normParams,
  infer({ x, weight, bias }, { epsilon }: BatchNormAttrs) {
    checkBatch("batchNorm", x, { weight, bias });
    const { images, pixels, channels } = batchLayout(x.shape);
    return {
      outputs: { y: spec(x.shape), mean: spec([channels]), variance: spec([channels]) },
      params: { images, pixels, epsilon },
    };
  },
  variants: normVariants(
    ({ inputs }: BatchNormCall) => batchLayout(inputs.x.shape),
    statisticsScratch,
    (slabs) => [...statisticsPasses(slabs, variance), applyPass(slabs, variance, "none")],
  ),
  reference({ x, weight, bias }, { inputs, attrs }) {
    const layout = batchLayout(inputs.x.shape);
    const mean = new Float64Array(layout.channels);
    const variance = new Float64Array(layout.channels);
    const y = new Float64Array(x.length);
    forEachMember(layout, (index, channel) => {
      mean[channel]! += x[index]! / layout.pixels;
    });
    forEachMember(layout, (index, channel) => {
      variance[channel]! += (x[index]! - mean[channel]!) ** 2 / layout.pixels;
    });
    forEachMember(layout, (index, channel) => {
      const normal = (x[index]! - mean[channel]!) / Math.sqrt(variance[channel]! + attrs.epsilon);
      y[index] = normal * weight[channel]! + bias[channel]!;
    });
    return { y, mean, variance };
  },
  cost: ({ inputs, outputs }) => ({
    flops: 7 * sizeOf(inputs.x.shape),
    bytes: bytesOfCall({ inputs, outputs }),
  }),
  cases: batchCases((shape) => ({ x: shape, weight: [shape.at(-1)!], bias: [shape.at(-1)!] })),
  refusals: [
    {
      inputs: { x: [2, 4, 6], weight: [4], bias: [6] },
      attrs: { epsilon: 1e-5 },
      message: /batchNorm: weight must be \[6\], one number per channel of x, but is \[4\]/,
    },
    {
      inputs: { x: [6], weight: [6], bias: [6] },
      attrs: { epsilon: 1e-5 },
      message: /batchNorm: x must be \[\.\.\., C\] with at least two axes but is \[6\]/,
    },
    {
      inputs: { x: [2, 6], weight: { shape: [6], dtype: "i32" }, bias: [6] },
      attrs: { epsilon: 1e-5 },
      message: /batchNorm: weight must be f32 but is i32/,
    },
  ],
});
