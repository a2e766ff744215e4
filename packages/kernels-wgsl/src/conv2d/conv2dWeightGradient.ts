/**
 * Gradient of a convolution with respect to its weight, the adjoint of conv2d in weight:
 * `weightGradient[kh, kw, ci, co] = Σ x[n, oh·stride + kh − top, ow·stride + kw − left, ci] · gradient[n, oh, ow, co]`.
 */
import { check } from "../errors.ts";
import { defineKernel, grid, perThread } from "../kernel.ts";
import { bytesOf, ceilDiv, show, sizeOf, spec, type TensorSpec } from "../spec.ts";
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

export interface Conv2dWeightGradientAttrs extends Conv2dAttrs {
  readonly kernelSize: readonly [height: number, width: number];
}

const op = "conv2dWeightGradient";

const geometry = (
  { x, gradient }: { x: TensorSpec; gradient: TensorSpec },
  attrs: Conv2dWeightGradientAttrs,
): Geometry => geometryOf(op, x.shape, [...attrs.kernelSize, x.shape[3]!, gradient.shape[3]!], attrs);

export const conv2dWeightGradient = defineKernel({
  name: op,
  inputs: ["x", "gradient"],
  outputs: ["weightGradient"],
  params: sizeParams,
  infer({ x, gradient }, attrs: Conv2dWeightGradientAttrs) {
    checkImage(op, "x", x);
    checkImage(op, "gradient", gradient);
    const g = geometry({ x, gradient }, attrs);
    const expected = [g.batch, g.outHeight, g.outWidth, g.outChannels];
    check(
      expected.every((extent, axis) => extent === gradient.shape[axis]),
      op,
      `gradient must be ${show(expected)} for x ${show(x.shape)} and kernelSize ${show(attrs.kernelSize)} ` +
        `but is ${show(gradient.shape)}.`,
    );
    return {
      outputs: { weightGradient: spec([g.kernelHeight, g.kernelWidth, g.inChannels, g.outChannels]) },
      params: sizesOf(g),
    };
  },
  variants: [
    {
      name: "direct",
      passes(_caps, { inputs, attrs, outputs }) {
        const g = geometry(inputs, attrs);
        return [
          {
            read: { x: "f32", gradient: "f32" },
            write: { weightGradient: "f32" },
            workgroups: grid(ceilDiv(sizeOf(outputs.weightGradient.shape), 64)),
            code: perThread(
              64,
              /* wgsl */ `
  if (i >= ${sizeOf(outputs.weightGradient.shape)}u) { return; }
  let co = i % ${g.outChannels}u;
  let ci = i / ${g.outChannels}u % ${g.inChannels}u;
  let kw = i / ${g.outChannels * g.inChannels}u % ${g.kernelWidth}u;
  let kh = i / ${g.outChannels * g.inChannels * g.kernelWidth}u;
  var total = 0.0;
  for (var n = 0u; n < params.batch; n++) {
    for (var oh = 0u; oh < params.outHeight; oh++) {
      let h = oh * ${g.stride}u + kh - ${g.top}u;
      if (h >= params.height) { continue; }
      for (var ow = 0u; ow < params.outWidth; ow++) {
        let w = ow * ${g.stride}u + kw - ${g.left}u;
        if (w >= params.width) { continue; }
        total += x[((n * params.height + h) * params.width + w) * ${g.inChannels}u + ci] *
          gradient[((n * params.outHeight + oh) * params.outWidth + ow) * ${g.outChannels}u + co];
      }
    }
  }
  weightGradient[i] = total;`,
            ),
          },
        ];
      },
    },
  ],
  reference({ x, gradient }, { inputs, outputs, attrs }) {
    const g = geometry(inputs, attrs);
    const weightGradient = new Float64Array(sizeOf(outputs.weightGradient.shape));
    forEachTap(g, (xOffset, yOffset, weightOffset) => {
      for (let ci = 0; ci < g.inChannels; ci++) {
        const value = x[xOffset + ci]!;
        const row = weightOffset + ci * g.outChannels;
        for (let co = 0; co < g.outChannels; co++)
          weightGradient[row + co]! += value * gradient[yOffset + co]!;
      }
    });
    return { weightGradient };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: flopsOf(geometry(inputs, attrs)),
    bytes: bytesOf(inputs.x) + bytesOf(inputs.gradient) + bytesOf(outputs.weightGradient),
  }),
  cases: [
    {
      name: "one element",
      inputs: { x: [1, 1, 1, 1], gradient: [1, 1, 1, 1] },
      attrs: { stride: 1, padding: [0, 0, 0, 0], kernelSize: [1, 1] },
    },
    {
      name: "3×3, prime sizes",
      inputs: { x: [2, 7, 11, 5], gradient: [2, 7, 11, 13] },
      attrs: { stride: 1, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
    },
    {
      name: "rectangular kernel, uneven padding",
      inputs: { x: [1, 9, 6, 3], gradient: [1, 10, 6, 7] },
      attrs: { stride: 1, padding: [0, 3, 2, 1], kernelSize: [2, 5] },
    },
    {
      name: "3×3, stride 2",
      inputs: { x: [2, 13, 10, 6], gradient: [2, 7, 5, 10] },
      attrs: { stride: 2, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
    },
    {
      name: "7×7, stride 2, 3 channels",
      inputs: { x: [1, 33, 31, 3], gradient: [1, 17, 16, 16] },
      attrs: { stride: 2, padding: [3, 3, 3, 3], kernelSize: [7, 7] },
    },
    {
      name: "2×2, stride 3: pixels without a tap",
      inputs: { x: [1, 11, 12, 4], gradient: [1, 4, 4, 8] },
      attrs: { stride: 3, padding: [0, 0, 0, 0], kernelSize: [2, 2] },
    },
    {
      name: "1×1",
      inputs: { x: [2, 9, 7, 17], gradient: [2, 9, 7, 9] },
      attrs: { stride: 1, padding: [0, 0, 0, 0], kernelSize: [1, 1] },
    },
    {
      name: "residual block",
      inputs: { x: [2, 32, 32, 64], gradient: [2, 32, 32, 64] },
      attrs: { stride: 1, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [1, 8, 8, 3], gradient: [1, 7, 8, 8] },
      attrs: { stride: 1, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
      message: /conv2dWeightGradient: gradient must be \[1, 8, 8, 8\] .* but is \[1, 7, 8, 8\]/,
    },
    {
      inputs: { x: [8, 8, 3], gradient: [1, 8, 8, 8] },
      attrs: { stride: 1, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
      message: /conv2dWeightGradient: x must have 4 axes/,
    },
    {
      inputs: { x: [1, 8, 8, 3], gradient: { shape: [1, 8, 8, 8], dtype: "i32" } },
      attrs: { stride: 1, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
      message: /conv2dWeightGradient: gradient must be f32/,
    },
  ],
});
