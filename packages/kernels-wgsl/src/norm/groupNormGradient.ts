/** Gradient of group normalisation with its optional SiLU; of the forward pass only mean and rstd are kept. */
import { check } from "../errors.ts";
import { type Capabilities, defineKernel } from "../kernel.ts";
import { bytesOf, sameShape, show, sizeOf, spec } from "../spec.ts";
import { gradientBlockPass } from "./blockPasses.ts";
import { type Blocks, blocksOf } from "./blocks.ts";
import {
  forEachMember,
  type GroupNormAttrs,
  type GroupNormCall,
  groupCases,
  groupLayout,
  sigmoid,
} from "./groupNorm.ts";
import { gradientPasses, gradientScratch, parameterPass, rstd } from "./passes.ts";
import { type NormLayout, normParams, normVariants, Slabs, serialTiling, workgroupTiling } from "./slabs.ts";
import { gradientWorkgroupPass, type WorkgroupBlocks, workgroupBlocksOf } from "./workgroupBlocks.ts";

const sums = { bias: "imageBias", weight: "imageWeight" };
const name = "groupNormGradient";

const results = { bias: "biasGradient", weight: "weightGradient" };

const layoutOf = ({ inputs, attrs }: GroupNormCall): NormLayout => groupLayout(name, inputs, attrs);

/** The sums of each image, for a pass that adds them up. */
const perImage = ({ images, channels }: NormLayout) => {
  const sum = spec([images, channels]);
  return { [sums.bias]: sum, [sums.weight]: sum };
};

/** Up to so many elements, one dispatch less is worth more than work for more cores. */
const fewElements = 2 ** 19;

/** Inputs and outputs, which the passes over slabs never bind all at once. */
const blockBindings = 9;

/** Blocks of all images where that saves the pass over the images' sums. */
const blocksOfCall = (caps: Capabilities, call: GroupNormCall): Blocks | undefined => {
  if (caps.maxStorageBuffers < blockBindings) return undefined;
  const layout = layoutOf(call);
  const together = sizeOf(call.inputs.x.shape) <= fewElements ? layout.images : 1;
  return blocksOf(caps, layout, together) ?? blocksOf(caps, layout);
};

const sumsImages = ({ layout, together }: Blocks): boolean => together === layout.images;

/** Several images are added up by a pass of their own. */
const workgroupBlocksOfCall = (caps: Capabilities, call: GroupNormCall): WorkgroupBlocks | undefined =>
  caps.maxStorageBuffers < blockBindings ? undefined : workgroupBlocksOf(caps, layoutOf(call));

const statistics = (shape: readonly number[]) => ({
  mean: { shape, fill: (_index: number, uniform: () => number) => uniform() - 0.5 },
  rstd: { shape, fill: (_index: number, uniform: () => number) => 0.5 + uniform() },
});

/**
 * Inputs x [N, …, C], weight [C], bias [C], mean and rstd [N, groups] as groupNorm gave them, gradient of y; outputs
 * xGradient, weightGradient, biasGradient. Formula: see {@link gradientPasses}.
 */
export const groupNormGradient = defineKernel({
  name,
  inputs: ["x", "weight", "bias", "mean", "rstd", "gradient"],
  outputs: ["xGradient", "weightGradient", "biasGradient"],
  params: normParams,
  infer(inputs, attrs: GroupNormAttrs) {
    const { images, pixels, channels, groups } = groupLayout(name, inputs, attrs);
    const statistic = spec([images, groups]);
    const expected = { mean: statistic, rstd: statistic, gradient: inputs.x };
    for (const [input, { shape, dtype }] of Object.entries(expected)) {
      const given = inputs[input as keyof typeof expected];
      check(
        given.dtype === dtype,
        name,
        () => `${input} must be ${dtype} beside x of ${inputs.x.dtype} but is ${given.dtype}; cast it first.`,
      );
      check(
        sameShape(given.shape, shape),
        name,
        () =>
          `${input} must be ${show(shape)} for x ${show(inputs.x.shape)} and ${groups} groups, but is ${show(given.shape)}.`,
      );
    }
    return {
      outputs: {
        xGradient: spec(inputs.x.shape, inputs.x.dtype),
        weightGradient: spec([channels]),
        biasGradient: spec([channels]),
      },
      params: { images, pixels, epsilon: attrs.epsilon },
    };
  },
  variants: [
    {
      // Processor time on lavapipe, [2, 32, 32, 64] with SiLU: 0.46 ms, by "serial fold" 0.83, by "workgroup fold" 1.75.
      name: "channel blocks",
      when: (caps, call) => blocksOfCall(caps, call) !== undefined,
      scratch: (caps, call) => (sumsImages(blocksOfCall(caps, call)!) ? {} : perImage(layoutOf(call))),
      passes: (caps, call) => {
        const blocks = blocksOfCall(caps, call)!;
        const { activation } = call.attrs;
        if (sumsImages(blocks)) return [gradientBlockPass(blocks, activation, results)];
        const slabs = new Slabs(blocks.layout, serialTiling);
        return [gradientBlockPass(blocks, activation, sums), parameterPass(slabs, sums)];
      },
    },
    {
      // Not yet timed on a GPU. Counted: 288 of 1941 dispatches less in a training step of DDAD-S at 64², gradient and forward.
      name: "workgroup blocks",
      when: (caps, call) => workgroupBlocksOfCall(caps, call) !== undefined,
      scratch: (_caps, call) => (layoutOf(call).images === 1 ? {} : perImage(layoutOf(call))),
      passes: (caps, call) => {
        const blocks = workgroupBlocksOfCall(caps, call)!;
        const { activation } = call.attrs;
        if (blocks.layout.images === 1) return [gradientWorkgroupPass(blocks, activation, results)];
        const slabs = new Slabs(blocks.layout, workgroupTiling);
        return [gradientWorkgroupPass(blocks, activation, sums), parameterPass(slabs, sums)];
      },
    },
    ...normVariants(
      layoutOf,
      (slabs) => ({ ...gradientScratch(slabs), ...perImage(slabs.layout) }),
      (slabs, { activation }) => [
        ...gradientPasses(slabs, rstd, activation, sums),
        parameterPass(slabs, sums),
      ],
    ),
  ],
  reference({ x, weight, bias, mean, rstd, gradient }, { inputs, attrs }) {
    const layout = groupLayout(name, inputs, attrs);
    const values = (layout.pixels * layout.channels) / layout.groups;
    const weightGradient = new Float64Array(layout.channels);
    const biasGradient = new Float64Array(layout.channels);
    const plain = new Float64Array(mean.length);
    const slope = new Float64Array(mean.length);
    const normal = (index: number, group: number) => (x[index]! - mean[group]!) * rstd[group]!;
    const atZ = (index: number, channel: number, group: number) => {
      if (attrs.activation === "none") return gradient[index]!;
      const z = normal(index, group) * weight[channel]! + bias[channel]!;
      return gradient[index]! * sigmoid(z) * (1 + z * (1 - sigmoid(z)));
    };
    forEachMember(layout, (index, channel, group) => {
      const dz = atZ(index, channel, group);
      biasGradient[channel]! += dz;
      weightGradient[channel]! += dz * normal(index, group);
      plain[group]! += (weight[channel]! * dz) / values;
      slope[group]! += (weight[channel]! * dz * normal(index, group)) / values;
    });
    const xGradient = new Float64Array(x.length);
    forEachMember(layout, (index, channel, group) => {
      const dz = atZ(index, channel, group);
      xGradient[index] =
        rstd[group]! * (weight[channel]! * dz - plain[group]! - normal(index, group) * slope[group]!);
    });
    return { xGradient, weightGradient, biasGradient };
  },
  cost: ({ inputs, attrs }) => ({
    // Two sums of 2 + 3, the result 7; SiLU's derivative 10.
    flops: sizeOf(inputs.x.shape) * (attrs.activation === "silu" ? 22 : 12),
    bytes: 3 * bytesOf(inputs.x),
  }),
  cases: [
    ...groupCases((shape) => ({ x: shape, weight: [shape.at(-1)!], bias: [shape.at(-1)!] })).map(
      ({ inputs, ...example }) => {
        const shape = inputs.x as readonly number[];
        return {
          ...example,
          inputs: { ...inputs, ...statistics([shape[0]!, example.attrs.groups]), gradient: shape },
        };
      },
    ),
    {
      name: "f16",
      inputs: {
        x: { shape: [2, 35, 24], dtype: "f16" },
        weight: [24],
        bias: [24],
        ...statistics([2, 6]),
        gradient: { shape: [2, 35, 24], dtype: "f16" },
      },
      attrs: { groups: 6, epsilon: 1e-5, activation: "silu" },
    },
  ],
  refusals: [
    {
      inputs: { x: [2, 4, 6], weight: [6], bias: [6], mean: [2, 3], rstd: [2, 3], gradient: [2, 6, 4] },
      attrs: { groups: 3, epsilon: 1e-5, activation: "none" },
      message:
        /groupNormGradient: gradient must be \[2, 4, 6\] for x \[2, 4, 6\] and 3 groups, but is \[2, 6, 4\]/,
    },
    {
      inputs: { x: [2, 4, 6], weight: [6], bias: [6], mean: [2, 6], rstd: [2, 3], gradient: [2, 4, 6] },
      attrs: { groups: 3, epsilon: 1e-5, activation: "none" },
      message: /groupNormGradient: mean must be \[2, 3\]/,
    },
    {
      inputs: { x: [2, 4, 6], weight: [6], bias: [5], mean: [2, 3], rstd: [2, 3], gradient: [2, 4, 6] },
      attrs: { groups: 3, epsilon: 1e-5, activation: "none" },
      message: /groupNormGradient: bias must be \[6\]/,
    },
  ],
});
