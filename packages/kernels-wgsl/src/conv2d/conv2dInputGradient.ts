/**
 * Gradient of a convolution with respect to its image, the adjoint of conv2d in x:
 * `xGradient[n, h, w, ci] = Σ gradient[n, oh, ow, co] · weight[kh, kw, ci, co]` over all taps with
 * `oh·stride + kh − top = h` and `ow·stride + kw − left = w`.
 */
import { check } from "../errors.ts";
import { defineKernel, grid, perThread } from "../kernel.ts";
import { bytesOf, ceilDiv, type Shape, show, sizeOf, spec, type TensorSpec } from "../spec.ts";
import {
  type Conv2dAttrs,
  checkImage,
  flopsOf,
  forEachTap,
  type Geometry,
  geometryOf,
  sizeParams,
  sizesOf,
} from "./geometry.ts";

export interface Conv2dInputGradientAttrs extends Conv2dAttrs {
  /** Height and width of the image: several give the same output where the stride is above 1. */
  readonly inputSize: readonly [height: number, width: number];
}

const op = "conv2dInputGradient";

function geometry(
  { gradient, weight }: { gradient: TensorSpec; weight: TensorSpec },
  attrs: Conv2dInputGradientAttrs,
): Geometry {
  const x: Shape = [gradient.shape[0]!, ...attrs.inputSize, weight.shape[2]!];
  return geometryOf(op, x, weight.shape, attrs);
}

export const conv2dInputGradient = defineKernel({
  name: op,
  inputs: ["gradient", "weight"],
  outputs: ["xGradient"],
  params: sizeParams,
  infer({ gradient, weight }, attrs: Conv2dInputGradientAttrs) {
    checkImage(op, "gradient", gradient);
    checkImage(op, "weight", weight);
    const g = geometry({ gradient, weight }, attrs);
    const expected = [g.batch, g.outHeight, g.outWidth, g.outChannels];
    check(
      expected.every((extent, axis) => extent === gradient.shape[axis]),
      op,
      `gradient must be ${show(expected)} for inputSize ${show(attrs.inputSize)} and weight ${show(weight.shape)} ` +
        `but is ${show(gradient.shape)}.`,
    );
    return { outputs: { xGradient: spec([g.batch, g.height, g.width, g.inChannels]) }, params: sizesOf(g) };
  },
  variants: [
    {
      name: "direct",
      passes(_caps, { inputs, attrs, outputs }) {
        const g = geometry(inputs, attrs);
        return [
          {
            read: { gradient: "f32", weight: "f32" },
            write: { xGradient: "f32" },
            workgroups: grid(ceilDiv(sizeOf(outputs.xGradient.shape), 64)),
            code: perThread(
              64,
              /* wgsl */ `
  let ci = i % ${g.inChannels}u;
  let w = i / ${g.inChannels}u % params.width;
  let h = i / ${g.inChannels}u / params.width % params.height;
  let n = i / ${g.inChannels}u / params.width / params.height;
  if (n >= params.batch) { return; }
  var total = 0.0;
  for (var kh = (h + ${g.top}u) % ${g.stride}u; kh < ${g.kernelHeight}u; kh += ${g.stride}u) {
    if (h + ${g.top}u < kh) { break; }
    let oh = (h + ${g.top}u - kh) / ${g.stride}u;
    if (oh >= params.outHeight) { continue; }
    for (var kw = (w + ${g.left}u) % ${g.stride}u; kw < ${g.kernelWidth}u; kw += ${g.stride}u) {
      if (w + ${g.left}u < kw) { break; }
      let ow = (w + ${g.left}u - kw) / ${g.stride}u;
      if (ow >= params.outWidth) { continue; }
      let gradientBase = ((n * params.outHeight + oh) * params.outWidth + ow) * ${g.outChannels}u;
      let weightBase = ((kh * ${g.kernelWidth}u + kw) * ${g.inChannels}u + ci) * ${g.outChannels}u;
      for (var co = 0u; co < ${g.outChannels}u; co++) {
        total += gradient[gradientBase + co] * weight[weightBase + co];
      }
    }
  }
  xGradient[i] = total;`,
            ),
          },
        ];
      },
    },
  ],
  reference({ gradient, weight }, { inputs, outputs, attrs }) {
    const g = geometry(inputs, attrs);
    const xGradient = new Float64Array(sizeOf(outputs.xGradient.shape));
    forEachTap(g, (xOffset, yOffset, weightOffset) => {
      for (let ci = 0; ci < g.inChannels; ci++) {
        const row = weightOffset + ci * g.outChannels;
        let total = 0;
        for (let co = 0; co < g.outChannels; co++) total += gradient[yOffset + co]! * weight[row + co]!;
        xGradient[xOffset + ci]! += total;
      }
    });
    return { xGradient };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: flopsOf(geometry(inputs, attrs)),
    bytes: bytesOf(inputs.gradient) + bytesOf(inputs.weight) + bytesOf(outputs.xGradient),
  }),
  cases: [
    {
      name: "one element",
      inputs: { gradient: [1, 1, 1, 1], weight: [1, 1, 1, 1] },
      attrs: { stride: 1, padding: [0, 0, 0, 0], inputSize: [1, 1] },
    },
    {
      name: "3×3, prime sizes",
      inputs: { gradient: [2, 7, 11, 13], weight: [3, 3, 5, 13] },
      attrs: { stride: 1, padding: [1, 1, 1, 1], inputSize: [7, 11] },
    },
    {
      name: "rectangular kernel, uneven padding",
      inputs: { gradient: [1, 10, 6, 7], weight: [2, 5, 3, 7] },
      attrs: { stride: 1, padding: [0, 3, 2, 1], inputSize: [9, 6] },
    },
    {
      name: "3×3, stride 2",
      inputs: { gradient: [2, 7, 5, 10], weight: [3, 3, 6, 10] },
      attrs: { stride: 2, padding: [1, 1, 1, 1], inputSize: [13, 10] },
    },
    {
      name: "3×3, stride 2, last row and column unused",
      inputs: { gradient: [1, 3, 4, 4], weight: [3, 3, 4, 4] },
      attrs: { stride: 2, padding: [0, 0, 0, 0], inputSize: [8, 10] },
    },
    {
      name: "7×7, stride 2, 3 channels",
      inputs: { gradient: [1, 17, 16, 16], weight: [7, 7, 3, 16] },
      attrs: { stride: 2, padding: [3, 3, 3, 3], inputSize: [33, 31] },
    },
    {
      name: "2×2, stride 3: pixels without a tap",
      inputs: { gradient: [1, 4, 4, 8], weight: [2, 2, 4, 8] },
      attrs: { stride: 3, padding: [0, 0, 0, 0], inputSize: [11, 12] },
    },
    {
      name: "1×1",
      inputs: { gradient: [2, 9, 7, 9], weight: [1, 1, 17, 9] },
      attrs: { stride: 1, padding: [0, 0, 0, 0], inputSize: [9, 7] },
    },
    {
      name: "padding wider than the kernel",
      inputs: { gradient: [1, 10, 9, 4], weight: [2, 2, 3, 4] },
      attrs: { stride: 1, padding: [3, 2, 2, 3], inputSize: [6, 5] },
    },
    {
      name: "residual block",
      inputs: { gradient: [2, 32, 32, 64], weight: [3, 3, 64, 64] },
      attrs: { stride: 1, padding: [1, 1, 1, 1], inputSize: [32, 32] },
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { gradient: [1, 8, 8, 3], weight: [3, 3, 4, 8] },
      attrs: { stride: 1, padding: [1, 1, 1, 1], inputSize: [8, 8] },
      message: /conv2dInputGradient: gradient must be \[1, 8, 8, 8\] .* but is \[1, 8, 8, 3\]/,
    },
    {
      inputs: { gradient: [1, 8, 8, 8], weight: [3, 3, 8] },
      attrs: { stride: 1, padding: [1, 1, 1, 1], inputSize: [8, 8] },
      message: /conv2dInputGradient: weight must have 4 axes/,
    },
    {
      inputs: { gradient: { shape: [1, 8, 8, 8], dtype: "i32" }, weight: [3, 3, 4, 8] },
      attrs: { stride: 1, padding: [1, 1, 1, 1], inputSize: [8, 8] },
      message: /conv2dInputGradient: gradient must be f32/,
    },
  ],
});
