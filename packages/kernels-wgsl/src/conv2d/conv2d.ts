/**
 * 2-D convolution (cross-correlation, as in every deep-learning library), channels last:
 * `y[n, oh, ow, co] = bias[co] + Σ x[n, oh·stride + kh − top, ow·stride + kw − left, ci] · weight[kh, kw, ci, co]`.
 */
import { check } from "../errors.ts";
import { type Call, defineKernel } from "../kernel.ts";
import { withEpilogue } from "../matmul/epilogue.ts";
import { elementsFor, loadQuad, type Product } from "../matmul/product.ts";
import { productVariants, storedProduct } from "../matmul/variants.ts";
import { bytesOf, ceilDiv, show, sizeOf, spec } from "../spec.ts";
import { epilogueCases } from "./epilogueCases.ts";
import { fewOutputsPass, hasFewOutputs } from "./fewOutputs.ts";
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
import { type LargeConvolution, largeCases } from "./largeCases.ts";
import { winogradVariants } from "./winograd.ts";
import { winogradCases } from "./winogradCases.ts";

export type { Conv2dAttrs, Padding } from "./geometry.ts";

const op = "conv2d";
const geometry = (
  inputs: { x: { shape: readonly number[] }; weight: { shape: readonly number[] } },
  attrs: Conv2dAttrs,
): Geometry => geometryOf(op, inputs.x.shape, inputs.weight.shape, attrs);

/** Rows are output pixels, k runs over the taps and their input channels, padded to quads. */
function product({ inputs, attrs }: Call<"x" | "weight" | "bias", "y", Conv2dAttrs, SizeParam>): Product {
  const g = geometry(inputs, attrs);
  const elements = elementsFor(g.inChannels, inputs.x.dtype);
  const weightElements = elementsFor(g.outChannels, inputs.weight.dtype);
  const channelQuads = ceilDiv(g.inChannels, 4);
  const quads = g.kernelHeight * g.kernelWidth * channelQuads;
  const padded = attrs.padding.some((extent) => extent > 0);
  return {
    rows: g.batch * g.outHeight * g.outWidth,
    columns: g.outChannels,
    quads,
    slices: 1,
    outputRows: g.batch * g.outHeight * g.outWidth,
    aAlong: "k",
    bAlong: "column",
    read: { x: elements, weight: weightElements },
    output: "y",
    bias: inputs.bias !== undefined,
    wgsl: {
      rows: "(params.batch * params.outHeight * params.outWidth)",
      columns: `${g.outChannels}u`,
      outputRows: "(params.batch * params.outHeight * params.outWidth)",
    },
    code: /* wgsl */ `
${loadQuad("x", elements)}
${loadQuad("weight", weightElements)}
struct Slice { quads: u32 }
fn sliceOf(index: u32) -> Slice { return Slice(${quads}u); }
struct Row { image: u32, h: u32, w: u32 }
fn rowOf(slice: Slice, row: u32) -> Row {
  let oh = row / params.outWidth;
  let n = oh / params.outHeight;
  // Above and left of the image the coordinates wrap to huge ones, which are outside as well.
  return Row(n * params.height * params.width, oh % params.outHeight * ${g.stride}u - ${g.top}u,
    row % params.outWidth * ${g.stride}u - ${g.left}u);
}
fn loadA(slice: Slice, row: Row, quad: u32) -> vec4f {
  let tap = quad / ${channelQuads}u;
  let channel = quad % ${channelQuads}u * 4u;
  let h = row.h + tap / ${g.kernelWidth}u;
  let w = row.w + tap % ${g.kernelWidth}u;
  let pixel = row.image + h * params.width + w;${
    padded
      ? `
  let inside = h < params.height && w < params.width;
  return select(vec4f(), xQuad(select(0u, pixel * ${g.inChannels}u + channel, inside), ${g.inChannels}u - channel), inside);`
      : `
  return xQuad(pixel * ${g.inChannels}u + channel, ${g.inChannels}u - channel);`
  }
}
fn loadB(slice: Slice, column: u32, quad: u32, j: u32) -> vec4f {${
      g.inChannels % 4 === 0
        ? `
  return weightQuad((quad * 4u + j) * ${g.outChannels}u + column, ${g.outChannels}u - column);`
        : `
  let channel = quad % ${channelQuads}u * 4u + j;
  let row = quad / ${channelQuads}u * ${g.inChannels}u + min(channel, ${g.inChannels - 1}u);
  let loaded = weightQuad(row * ${g.outChannels}u + column, ${g.outChannels}u - column);
  return select(vec4f(), loaded, channel < ${g.inChannels}u);`
    }
}
fn outputRow(slice: Slice, row: u32) -> u32 { return row; }`,
  };
}

const winograd = winogradVariants(({ inputs, attrs }) => geometry(inputs, attrs), product, false);

const forward = ({ x, weight, y, attrs }: LargeConvolution) => ({
  inputs: { x, weight, bias: [y.shape[3]!] },
  attrs,
});

const plain = defineKernel({
  name: op,
  inputs: ["x", "weight", "bias"],
  optional: ["bias"],
  outputs: ["y"],
  params: sizeParams,
  infer({ x, weight, bias }, attrs: Conv2dAttrs) {
    checkImage(op, "x", x, true);
    checkImage(op, "weight", weight, true);
    const g = geometryOf(op, x.shape, weight.shape, attrs);
    if (bias) {
      check(
        bias.dtype === "f32" && bias.shape.length === 1 && bias.shape[0] === g.outChannels,
        op,
        `bias must be f32 [${g.outChannels}] but is ${bias.dtype} ${show(bias.shape)}.`,
      );
    }
    return {
      outputs: { y: spec([g.batch, g.outHeight, g.outWidth, g.outChannels], x.dtype) },
      params: sizesOf(g),
    };
  },
  variants: [
    {
      name: "few outputs",
      when: (_caps, { inputs, attrs }) => hasFewOutputs(geometry(inputs, attrs)),
      passes: (caps, call) => [
        fewOutputsPass(caps, geometry(call.inputs, call.attrs), storedProduct(call, product)),
      ],
    },
    winograd.usual,
    ...productVariants(product),
    winograd.measured,
  ],
  reference({ x, weight, bias }, { inputs, outputs, attrs }) {
    const g = geometry(inputs, attrs);
    const y = new Float64Array(sizeOf(outputs.y.shape));
    if (bias)
      y.forEach((_, i) => {
        y[i] = bias[i % g.outChannels]!;
      });
    forEachTap(g, (xOffset, yOffset, weightOffset) => {
      for (let ci = 0; ci < g.inChannels; ci++) {
        const value = x[xOffset + ci]!;
        const row = weightOffset + ci * g.outChannels;
        for (let co = 0; co < g.outChannels; co++) y[yOffset + co]! += value * weight[row + co]!;
      }
    });
    return { y };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: flopsOf(geometry(inputs, attrs)),
    bytes: bytesOf(inputs.x) + bytesOf(inputs.weight) + bytesOf(outputs.y),
  }),
  cases: [
    {
      name: "one element",
      inputs: { x: [1, 1, 1, 1], weight: [1, 1, 1, 1], bias: [1] },
      attrs: { stride: 1, padding: [0, 0, 0, 0] },
    },
    {
      name: "3×3, prime sizes",
      inputs: { x: [2, 7, 11, 5], weight: [3, 3, 5, 13], bias: [13] },
      attrs: { stride: 1, padding: [1, 1, 1, 1] },
    },
    {
      name: "rectangular kernel, uneven padding",
      inputs: { x: [1, 9, 6, 3], weight: [2, 5, 3, 7] },
      attrs: { stride: 1, padding: [0, 3, 2, 1] },
    },
    {
      name: "3×3, stride 2",
      inputs: { x: [2, 13, 10, 6], weight: [3, 3, 6, 10] },
      attrs: { stride: 2, padding: [1, 1, 1, 1] },
    },
    {
      name: "7×7, stride 2, 3 channels",
      inputs: { x: [1, 33, 31, 3], weight: [7, 7, 3, 16] },
      attrs: { stride: 2, padding: [3, 3, 3, 3] },
    },
    {
      name: "2×2, stride 3: gaps between taps",
      inputs: { x: [1, 11, 12, 4], weight: [2, 2, 4, 8] },
      attrs: { stride: 3, padding: [0, 0, 0, 0] },
    },
    {
      name: "1×1",
      inputs: { x: [2, 9, 7, 17], weight: [1, 1, 17, 9], bias: [9] },
      attrs: { stride: 1, padding: [0, 0, 0, 0] },
    },
    {
      name: "residual block",
      inputs: { x: [2, 32, 32, 64], weight: [3, 3, 64, 64], bias: [64] },
      attrs: { stride: 1, padding: [1, 1, 1, 1] },
      bench: true,
    },
    {
      name: "tile borders",
      inputs: { x: [1, 17, 37, 20], weight: [3, 3, 20, 36] },
      attrs: { stride: 1, padding: [1, 1, 1, 1] },
    },
    {
      name: "small image, many channels",
      inputs: { x: [1, 5, 7, 134], weight: [3, 3, 134, 21], bias: [21] },
      attrs: { stride: 1, padding: [1, 1, 1, 1] },
    },
    {
      name: "halves",
      inputs: {
        x: { shape: [1, 9, 7, 8], dtype: "f16" },
        weight: { shape: [3, 3, 8, 12], dtype: "f16" },
        bias: [12],
      },
      attrs: { stride: 1, padding: [1, 1, 1, 1] },
    },
    {
      name: "halves, odd channels, a weight of singles",
      inputs: { x: { shape: [2, 7, 5, 5], dtype: "f16" }, weight: [3, 3, 5, 7] },
      attrs: { stride: 2, padding: [1, 1, 1, 1] },
    },
    {
      name: "into the network",
      inputs: { x: [1, 64, 64, 3], weight: [3, 3, 3, 32], bias: [32] },
      attrs: { stride: 1, padding: [1, 1, 1, 1] },
      bench: true,
    },
    {
      name: "few outputs, strip borders, uneven kernel",
      inputs: { x: [2, 5, 17, 12], weight: [3, 2, 12, 2], bias: [2] },
      attrs: { stride: 1, padding: [1, 1, 1, 0] },
    },
    {
      name: "few outputs, halves",
      inputs: {
        x: { shape: [1, 6, 9, 8], dtype: "f16" },
        weight: { shape: [3, 3, 8, 3], dtype: "f16" },
        bias: [3],
      },
      attrs: { stride: 1, padding: [1, 1, 1, 1] },
    },
    {
      name: "out of the network",
      inputs: { x: [1, 64, 64, 32], weight: [3, 3, 32, 3], bias: [3] },
      attrs: { stride: 1, padding: [1, 1, 1, 1] },
      bench: true,
    },
    ...winogradCases(forward),
    ...largeCases(forward),
  ],
  refusals: [
    {
      inputs: { x: [1, 8, 8, 3], weight: [3, 3, 4, 8] },
      attrs: { stride: 1, padding: [1, 1, 1, 1] },
      message: /conv2d: x \[1, 8, 8, 3\] has 3 channels but weight \[3, 3, 4, 8\] expects 4/,
    },
    {
      inputs: { x: [8, 8, 3], weight: [3, 3, 3, 8] },
      attrs: { stride: 1, padding: [1, 1, 1, 1] },
      message: /conv2d: x must have 4 axes of at least 1 element but is \[8, 8, 3\]/,
    },
    {
      inputs: { x: [1, 8, 8, 3], weight: { shape: [3, 3, 3, 8], dtype: "i32" } },
      attrs: { stride: 1, padding: [1, 1, 1, 1] },
      message: /conv2d: weight must be f32 or f16 but is i32/,
    },
    {
      inputs: { x: [1, 8, 8, 3], weight: [3, 3, 3, 8], bias: [7] },
      attrs: { stride: 1, padding: [1, 1, 1, 1] },
      message: /conv2d: bias must be f32 \[8\] but is f32 \[7\]/,
    },
    {
      inputs: { x: [1, 2, 8, 3], weight: [5, 3, 3, 8] },
      attrs: { stride: 1, padding: [1, 1, 1, 1] },
      message: /conv2d: a kernel of 5×3 is larger than the padded image of 4×10; pad more/,
    },
    {
      inputs: { x: [1, 8, 8, 3], weight: [3, 3, 3, 8] },
      attrs: { stride: 0, padding: [1, 1, 1, 1] },
      message: /conv2d: stride must be a whole number of at least 1 but is 0/,
    },
    {
      inputs: { x: [1, 8, 8, 3], weight: [3, 3, 3, 8] },
      attrs: { stride: 1, padding: [1, -1, 1, 1] },
      message: /conv2d: padding must be whole numbers of at least 0 but is \[1, -1, 1, 1\]/,
    },
  ],
});

/** Inputs x [N, H, W, Cin], weight [KH, KW, Cin, Cout], bias [Cout] or none; output y [N, OH, OW, Cout] of the type of x. */
export const conv2d = withEpilogue(plain, "y", epilogueCases);
