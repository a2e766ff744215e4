/**
 * Group normalisation (Wu and He 2018, arXiv 1803.08494), channels last, with an optional SiLU in the same pass.
 *
 * WGSL: `workgroupBlocks.ts` (GPUs), `blocks.ts` and `blockPasses.ts` (software adapters), `slabs.ts` and `passes.ts` (any adapter).
 * `npm run wgsl -- groupNorm "groups of six"` prints what a case runs.
 */
import { check, checkFloat } from "../errors.ts";
import { type Case, defineKernel } from "../kernel.ts";
import { bytesOfCall, show, sizeOf, spec, type TensorSpec } from "../spec.ts";
import type { Activation } from "./activation.ts";
import { forwardBlockPass } from "./blockPasses.ts";
import { blocksOf } from "./blocks.ts";
import { applyPass, rstd, statisticsPasses, statisticsScratch } from "./passes.ts";
import { type NormLayout, normParams, normVariants } from "./slabs.ts";
import { forwardWorkgroupPass, workgroupBlocksOf } from "./workgroupBlocks.ts";

/** Attributes of `groupNorm` and its gradient. */
export interface GroupNormAttrs {
  /** Number of groups; divides the channels. */
  readonly groups: number;
  /** Added to the variance. */
  readonly epsilon: number;
  /** What follows the affine map: nothing, or z · σ(z). */
  readonly activation: Activation;
}

/** The inputs and attributes that decide a call's layout. */
export interface GroupNormCall {
  readonly inputs: Readonly<Record<"x" | "weight" | "bias", TensorSpec>>;
  readonly attrs: GroupNormAttrs;
}

/** Checks and layout of forward and gradient: x [N, …, C], weight [C], bias [C]. */
export function groupLayout(
  op: string,
  { x, weight, bias }: Record<"x" | "weight" | "bias", TensorSpec>,
  { groups }: GroupNormAttrs,
): NormLayout {
  checkFloat(op, "x", x.dtype);
  for (const [name, { dtype }] of Object.entries({ weight, bias })) {
    check(dtype === "f32", op, () => `${name} must be f32 but is ${dtype}; cast it first.`);
  }
  check(x.shape.length >= 2, op, () => `x must be [N, …, C] but is ${show(x.shape)}.`);
  const channels = x.shape.at(-1)!;
  check(
    Number.isInteger(groups) && groups >= 1 && channels % groups === 0,
    op,
    () =>
      `groups must divide the channels, but x ${show(x.shape)} has ${channels} channels for ${groups} groups.`,
  );
  for (const [name, { shape }] of Object.entries({ weight, bias })) {
    check(
      shape.length === 1 && shape[0] === channels,
      op,
      () => `${name} must be [${channels}], one number per channel of x, but is ${show(shape)}.`,
    );
  }
  const images = x.shape[0]!;
  return { images, pixels: sizeOf(x.shape) / (images * channels), channels, groups, dtype: x.dtype };
}

/**
 * Sizes around every border: slabs of 8 and 32 pixels, strips of 4 and 16, channels in fours or not, and blocks of whole groups that
 * fill a subgroup, or part of it, or do not fit.
 */
export const groupCases = (
  inputs: (shape: readonly number[]) => Case["inputs"],
): Case<"x" | "weight" | "bias", GroupNormAttrs>[] => {
  const attrs = (groups: number, activation: Activation = "none"): GroupNormAttrs => ({
    groups,
    epsilon: 1e-5,
    activation,
  });
  return [
    { name: "one element", inputs: inputs([1, 1]), attrs: attrs(1) },
    { name: "odd channels, a group each", inputs: inputs([1, 7, 5]), attrs: attrs(5) },
    { name: "odd channels, one group", inputs: inputs([2, 3, 5, 7]), attrs: attrs(1, "silu") },
    { name: "groups of three in columns of four", inputs: inputs([2, 65, 12]), attrs: attrs(4, "silu") },
    { name: "groups of two, one pixel", inputs: inputs([3, 64]), attrs: attrs(32) },
    { name: "groups of one, slab border + 1", inputs: inputs([2, 33, 32]), attrs: attrs(32, "silu") },
    { name: "groups of eight, slab border − 1", inputs: inputs([1, 31, 64]), attrs: attrs(8) },
    { name: "many slabs", inputs: inputs([1, 4099, 8]), attrs: attrs(4, "silu") },
    { name: "groups of three, chunk border + 1", inputs: inputs([1, 33, 96]), attrs: attrs(32, "silu") },
    { name: "groups of four", inputs: inputs([2, 37, 32]), attrs: attrs(8, "silu") },
    { name: "groups of five", inputs: inputs([2, 41, 20]), attrs: attrs(4) },
    { name: "groups of six", inputs: inputs([2, 70, 192]), attrs: attrs(32, "silu") },
    {
      name: "groups of twelve, more images than a subgroup has lanes",
      inputs: inputs([9, 19, 48]),
      attrs: attrs(4),
    },
    { name: "groups of sixteen, one pixel", inputs: inputs([2, 64]), attrs: attrs(4, "silu") },
    { name: "groups of 32", inputs: inputs([2, 67, 64]), attrs: attrs(2, "silu") },
    { name: "groups of 64", inputs: inputs([2, 11, 64]), attrs: attrs(1, "silu") },
    { name: "many elements", inputs: inputs([2, 65, 65, 64]), attrs: attrs(32, "silu") },
    {
      name: "[2, 32, 32, 64], 32 groups, SiLU",
      inputs: inputs([2, 32, 32, 64]),
      attrs: attrs(32, "silu"),
      bench: true,
    },
    {
      name: "[2, 8, 8, 256], 32 groups",
      inputs: inputs([2, 8, 8, 256]),
      attrs: attrs(32),
      bench: true,
    },
    { name: "rows of a layer norm, [512, 384]", inputs: inputs([512, 384]), attrs: attrs(1), bench: true },
    {
      name: "[4, 128, 128, 64], 32 groups, SiLU",
      inputs: inputs([4, 128, 128, 64]),
      attrs: attrs(32, "silu"),
      benchOnly: true,
    },
  ];
};

/** Plain loops over the members of each image's groups: calls `visit(flat index, channel, image · groups + group)`. */
export function forEachMember(
  { images, pixels, channels, groups }: NormLayout,
  visit: (index: number, channel: number, group: number) => void,
): void {
  const members = channels / groups;
  for (let image = 0; image < images; image++)
    for (let pixel = 0; pixel < pixels; pixel++)
      for (let channel = 0; channel < channels; channel++) {
        const group = image * groups + Math.floor(channel / members);
        visit((image * pixels + pixel) * channels + channel, channel, group);
      }
}

export const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

const layoutOf = ({ inputs, attrs }: GroupNormCall): NormLayout => groupLayout("groupNorm", inputs, attrs);

/**
 * y = activation((x − mean) / √(variance + ε) · weight + bias), mean and biased variance over the pixels and channels of a
 * group of an image. Inputs x [N, …, C], weight [C], bias [C]; outputs y (x's shape and type), mean and rstd [N, groups], where
 * rstd = 1/√(variance + ε).
 */
export const groupNorm = defineKernel({
  name: "groupNorm",
  inputs: ["x", "weight", "bias"],
  outputs: ["y", "mean", "rstd"],
  params: normParams,
  infer(inputs, attrs: GroupNormAttrs) {
    const { images, pixels, groups } = groupLayout("groupNorm", inputs, attrs);
    const statistic = spec([images, groups]);
    return {
      outputs: { y: spec(inputs.x.shape, inputs.x.dtype), mean: statistic, rstd: statistic },
      params: { images, pixels, epsilon: attrs.epsilon },
    };
  },
  variants: [
    {
      // Processor time on lavapipe, [2, 32, 32, 64] with SiLU: 0.26 ms, by "serial fold" 0.39, by "workgroup fold" 1.04.
      name: "channel blocks",
      when: (caps, call) => blocksOf(caps, layoutOf(call)) !== undefined,
      passes: (caps, call) => [forwardBlockPass(blocksOf(caps, layoutOf(call))!, call.attrs.activation)],
    },
    {
      // Not yet timed on a GPU. Counted: 144 of 446 dispatches less in a call of DDAD-S at 64², see `workgroupBlocks.ts`.
      name: "workgroup blocks",
      when: (caps, call) => workgroupBlocksOf(caps, layoutOf(call)) !== undefined,
      passes: (caps, call) => [
        forwardWorkgroupPass(workgroupBlocksOf(caps, layoutOf(call))!, call.attrs.activation),
      ],
    },
    ...normVariants(layoutOf, statisticsScratch, (slabs, { activation }) => [
      ...statisticsPasses(slabs, rstd),
      applyPass(slabs, rstd, activation),
    ]),
  ],
  reference({ x, weight, bias }, { inputs, attrs }) {
    const layout = groupLayout("groupNorm", inputs, attrs);
    const size = layout.images * layout.groups;
    const values = x.length / size;
    const mean = new Float64Array(size);
    const variance = new Float64Array(size);
    forEachMember(layout, (index, _channel, group) => {
      mean[group]! += x[index]! / values;
    });
    forEachMember(layout, (index, _channel, group) => {
      variance[group]! += (x[index]! - mean[group]!) ** 2 / values;
    });
    const rstd = variance.map((value) => 1 / Math.sqrt(value + attrs.epsilon));
    const y = new Float64Array(x.length);
    forEachMember(layout, (index, channel, group) => {
      const z = (x[index]! - mean[group]!) * rstd[group]! * weight[channel]! + bias[channel]!;
      y[index] = attrs.activation === "silu" ? z * sigmoid(z) : z;
    });
    return { y, mean, rstd };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    // Sum 1, centred squares 3, normalisation 3; SiLU 5.
    flops: sizeOf(inputs.x.shape) * (attrs.activation === "silu" ? 12 : 7),
    bytes: bytesOfCall({ inputs, outputs }),
  }),
  tolerance: 5e-5,
  cases: [
    ...groupCases((shape) => ({ x: shape, weight: [shape.at(-1)!], bias: [shape.at(-1)!] })),
    {
      name: "f16",
      inputs: { x: { shape: [2, 35, 24], dtype: "f16" }, weight: [24], bias: [24] },
      attrs: { groups: 6, epsilon: 1e-5, activation: "silu" },
    },
    {
      name: "f16, odd channels",
      inputs: { x: { shape: [1, 7, 5], dtype: "f16" }, weight: [5], bias: [5] },
      attrs: { groups: 1, epsilon: 1e-5, activation: "none" },
    },
    {
      name: "mean far from zero",
      inputs: {
        x: { shape: [2, 129, 16], fill: (_index, uniform) => 200 + uniform() },
        weight: [16],
        bias: [16],
      },
      attrs: { groups: 4, epsilon: 1e-5, activation: "none" },
      // Inputs near 200 with a spread of 0.3: half a unit in the last place of the mean is already 2.6e-5 of it.
      tolerance: 5e-5,
    },
    {
      // Sums of all pixels' offsets from the first one would lose four digits.
      name: "first pixel far from the others",
      inputs: {
        x: { shape: [1, 2048, 16], fill: (index, uniform) => (index < 16 ? 100 : 0) + uniform() },
        weight: [16],
        bias: [16],
      },
      attrs: { groups: 8, epsilon: 1e-5, activation: "none" },
    },
  ],
  refusals: [
    {
      inputs: { x: [2, 4, 6], weight: [6], bias: [6] },
      attrs: { groups: 4, epsilon: 1e-5, activation: "none" },
      message: /groupNorm: groups must divide the channels, but x \[2, 4, 6\] has 6 channels for 4 groups/,
    },
    {
      inputs: { x: [2, 4, 6], weight: [4], bias: [6] },
      attrs: { groups: 3, epsilon: 1e-5, activation: "none" },
      message: /groupNorm: weight must be \[6\], one number per channel of x, but is \[4\]/,
    },
    {
      inputs: { x: [6], weight: [6], bias: [6] },
      attrs: { groups: 3, epsilon: 1e-5, activation: "none" },
      message: /groupNorm: x must be \[N, …, C\] but is \[6\]/,
    },
    {
      inputs: { x: { shape: [2, 6], dtype: "i32" }, weight: [6], bias: [6] },
      attrs: { groups: 3, epsilon: 1e-5, activation: "none" },
      message: /groupNorm: x must be f32 or f16 but is i32/,
    },
  ],
});
