/**
 * Gradient of a convolution with respect to its weight, the adjoint of conv2d in weight:
 * `weightGradient[kh, kw, ci, co] = Σ x[n, oh·stride + kh − top, ow·stride + kw − left, ci] · gradient[n, oh, ow, co]`.
 */
import { check } from "../errors.ts";
import { type Call, defineKernel } from "../kernel.ts";
import { elementsFor, loadQuad, type Product } from "../matmul/product.ts";
import { productVariants } from "../matmul/variants.ts";
import { bytesOf, ceilDiv, show, sizeOf, spec, type TensorSpec } from "../spec.ts";
import {
  type Conv2dAttrs,
  checkImage,
  flopsOf,
  forEachTap,
  type Geometry,
  geometryOf,
  type SizeParam,
  sizeParams,
  sizesOf,
} from "./geometry.ts";
import { largeCases } from "./largeCases.ts";

/** Attributes of `conv2dWeightGradient`: those of the convolution, and the size of its window. */
export interface Conv2dWeightGradientAttrs extends Conv2dAttrs {
  readonly kernelSize: readonly [height: number, width: number];
}

const op = "conv2dWeightGradient";

const geometry = (
  { x, gradient }: { x: TensorSpec; gradient: TensorSpec },
  attrs: Conv2dWeightGradientAttrs,
): Geometry => geometryOf(op, x.shape, [...attrs.kernelSize, x.shape[3]!, gradient.shape[3]!], attrs);

/**
 * Rows are taps and their input channels, k runs over the output pixels: image by image and row by row, each row of the
 * image padded to quads, so that a quad never leaves its row. The sizes of y are
 * baked, because the innermost loop divides by them.
 */
function product({
  inputs,
  attrs,
}: Call<"x" | "gradient", "weightGradient", Conv2dWeightGradientAttrs, SizeParam>): Product {
  const g = geometry(inputs, attrs);
  const elements = elementsFor(g.inChannels, inputs.x.dtype);
  const gradientElements = elementsFor(g.outChannels, inputs.gradient.dtype);
  const taps = g.kernelHeight * g.kernelWidth;
  const padded = ceilDiv(g.inChannels, 4) * 4;
  const widthQuads = ceilDiv(g.outWidth, 4);
  return {
    rows: taps * padded,
    columns: g.outChannels,
    quads: g.batch * g.outHeight * widthQuads,
    slices: 1,
    outputRows: taps * g.inChannels,
    aAlong: "row",
    bAlong: "column",
    read: { x: elements, gradient: gradientElements },
    output: "weightGradient",
    bias: false,
    wgsl: {
      rows: `${taps * padded}u`,
      columns: `${g.outChannels}u`,
      outputRows: `${taps * g.inChannels}u`,
    },
    code: /* wgsl */ `
${loadQuad("x", elements)}
${loadQuad("gradient", gradientElements)}
struct Slice { quads: u32 }
fn sliceOf(index: u32) -> Slice { return Slice(params.batch * ${g.outHeight * widthQuads}u); }
struct Row { h: u32, w: u32, channel: u32 }
fn rowOf(slice: Slice, row: u32) -> Row {
  let tap = row / ${padded}u;
  // Above and left of the image the coordinates wrap to huge ones, which are outside as well.
  return Row(tap / ${g.kernelWidth}u - ${g.top}u, tap % ${g.kernelWidth}u - ${g.left}u, row % ${padded}u);
}
fn loadA(slice: Slice, row: Row, quad: u32, j: u32) -> vec4f {
  let ow = quad % ${widthQuads}u * 4u + j;
  let oh = quad / ${widthQuads}u % ${g.outHeight}u;
  let n = quad / ${widthQuads * g.outHeight}u;
  let h = oh * ${g.stride}u + row.h;
  let w = ow * ${g.stride}u + row.w;
  let inside = h < params.height && w < params.width${g.outWidth % 4 ? ` && ow < ${g.outWidth}u` : ""};
  let offset = ((n * params.height + h) * params.width + w) * ${g.inChannels}u + row.channel;
  return select(vec4f(), xQuad(select(0u, offset, inside), ${g.inChannels}u - row.channel), inside);
}
fn loadB(slice: Slice, column: u32, quad: u32, j: u32) -> vec4f {
  let ow = quad % ${widthQuads}u * 4u + j;
  let row = quad / ${widthQuads}u;
  let loaded = gradientQuad((row * ${g.outWidth}u + ${g.outWidth % 4 ? `min(ow, ${g.outWidth - 1}u)` : "ow"}) * ${g.outChannels}u + column, ${g.outChannels}u - column);
  return ${g.outWidth % 4 ? `select(vec4f(), loaded, ow < ${g.outWidth}u)` : "loaded"};
}
fn outputRow(slice: Slice, row: u32) -> u32 {${
      padded === g.inChannels
        ? " return row; }"
        : `
  let channel = row % ${padded}u;
  return select(0xffffffffu, row / ${padded}u * ${g.inChannels}u + channel, channel < ${g.inChannels}u);
}`
    }`,
  };
}

/** Inputs x [N, H, W, Cin] and gradient of y [N, OH, OW, Cout]; output weightGradient [KH, KW, Cin, Cout],
 * always f32. */
export const conv2dWeightGradient = defineKernel({
  name: op,
  inputs: ["x", "gradient"],
  outputs: ["weightGradient"],
  params: sizeParams,
  infer({ x, gradient }, attrs: Conv2dWeightGradientAttrs) {
    checkImage(op, "x", x, true);
    checkImage(op, "gradient", gradient, true);
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
  variants: productVariants(product),
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
    {
      name: "tile borders",
      inputs: { x: [1, 17, 37, 20], gradient: [1, 17, 37, 36] },
      attrs: { stride: 1, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
    },
    {
      name: "halves",
      inputs: { x: { shape: [1, 9, 7, 8], dtype: "f16" }, gradient: { shape: [1, 9, 7, 12], dtype: "f16" } },
      attrs: { stride: 1, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
    },
    {
      name: "into the network",
      inputs: { x: [1, 64, 64, 3], gradient: [1, 64, 64, 32] },
      attrs: { stride: 1, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
      bench: true,
    },
    ...largeCases(({ x, y, attrs }) => ({
      inputs: { x, gradient: y },
      attrs: { ...attrs, kernelSize: [3, 3] as const },
    })),
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
      message: /conv2dWeightGradient: gradient must be f32 or f16/,
    },
  ],
});
