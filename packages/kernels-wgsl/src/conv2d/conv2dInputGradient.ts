/**
 * Gradient of a convolution with respect to its image, the adjoint of conv2d in x:
 * `xGradient[n, h, w, ci] = Σ gradient[n, oh, ow, co] · weight[kh, kw, ci, co]` over all taps with
 * `oh·stride + kh − top = h` and `ow·stride + kw − left = w`.
 */
import { check } from "../errors.ts";
import { type Call, defineKernel } from "../kernel.ts";
import { type Epilogue, withEpilogue } from "../matmul/epilogue.ts";
import { elementsFor, loadQuad, type Product } from "../matmul/product.ts";
import { productVariants } from "../matmul/variants.ts";
import { bytesOf, ceilDiv, type Shape, show, sizeOf, spec, type TensorSpec } from "../spec.ts";
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

/** Attributes of `conv2dInputGradient`: those of the convolution, and the size that it was given. */
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

/**
 * Rows are input pixels, k runs over the taps and output channels. With a stride s only every s-th tap in each direction
 * meets a given pixel: pixels are sorted into s² phases by their remainders, each a product of its own over its taps.
 */
function product({
  inputs,
  attrs,
}: Call<"gradient" | "weight", "xGradient", Conv2dInputGradientAttrs, SizeParam>): Product {
  const g = geometry(inputs, attrs);
  const s = g.stride;
  const elements = elementsFor(g.outChannels, inputs.gradient.dtype);
  const weightElements = elementsFor(g.outChannels, inputs.weight.dtype);
  const channelQuads = ceilDiv(g.outChannels, 4);
  const quads = ceilDiv(g.kernelHeight, s) * ceilDiv(g.kernelWidth, s) * channelQuads;
  const phaseHeight = s === 1 ? "params.height" : `((params.height + ${s - 1}u) / ${s}u)`;
  const phaseWidth = s === 1 ? "params.width" : `((params.width + ${s - 1}u) / ${s}u)`;
  const loaded = `gradientQuad(select(0u, pixel * ${g.outChannels}u + channel, inside), ${g.outChannels}u - channel)`;
  return {
    rows: g.batch * ceilDiv(g.height, s) * ceilDiv(g.width, s),
    columns: g.inChannels,
    quads,
    slices: s * s,
    outputRows: g.batch * g.height * g.width,
    aAlong: "k",
    bAlong: "k",
    read: { gradient: elements, weight: weightElements },
    output: "xGradient",
    bias: false,
    wgsl: {
      rows: `(params.batch * ${phaseHeight} * ${phaseWidth})`,
      columns: `${g.inChannels}u`,
      outputRows: "(params.batch * params.height * params.width)",
    },
    code: /* wgsl */ `
${loadQuad("gradient", elements)}
${loadQuad("weight", weightElements)}
// Taps of the phase: firstH, firstH + ${s}, …; the pixel a·${s} + phaseH meets tap firstH + ${s}·i at output a + shiftH − i.
struct Slice { quads: u32, tapsW: u32, firstH: u32, firstW: u32, shiftH: u32, shiftW: u32, phaseH: u32, phaseW: u32 }
fn sliceOf(index: u32) -> Slice {${
      s === 1
        ? `
  return Slice(${quads}u, ${g.kernelWidth}u, 0u, 0u, ${g.top}u, ${g.left}u, 0u, 0u);`
        : `
  let h = index / ${s}u + ${g.top}u;
  let w = index % ${s}u + ${g.left}u;
  let tapsH = (${g.kernelHeight + s - 1}u - min(h % ${s}u, ${g.kernelHeight}u)) / ${s}u;
  let tapsW = (${g.kernelWidth + s - 1}u - min(w % ${s}u, ${g.kernelWidth}u)) / ${s}u;
  return Slice(tapsH * tapsW * ${channelQuads}u, tapsW, h % ${s}u, w % ${s}u, h / ${s}u, w / ${s}u, index / ${s}u, index % ${s}u);`
    }
}
struct Row { image: u32, h: u32, w: u32 }
fn rowOf(slice: Slice, row: u32) -> Row {
  let h = row / ${phaseWidth};
  let n = h / ${phaseHeight};
  return Row(n * params.outHeight * params.outWidth, h % ${phaseHeight} + slice.shiftH, row % ${phaseWidth} + slice.shiftW);
}
fn loadA(slice: Slice, row: Row, quad: u32) -> vec4f {
  let tap = quad / ${channelQuads}u;
  let channel = quad % ${channelQuads}u * 4u;
  // Above and left of the image the coordinates wrap to huge ones, which are outside as well.
  let oh = row.h - tap / slice.tapsW;
  let ow = row.w - tap % slice.tapsW;
  let pixel = row.image + oh * params.outWidth + ow;
  let inside = oh < params.outHeight && ow < params.outWidth;
  return select(vec4f(), ${loaded}, inside);
}
fn loadB(slice: Slice, column: u32, quad: u32) -> vec4f {
  let tap = quad / ${channelQuads}u;
  let channel = quad % ${channelQuads}u * 4u;
  let kh = slice.firstH + tap / slice.tapsW * ${s}u;
  let kw = slice.firstW + tap % slice.tapsW * ${s}u;
  let row = (kh * ${g.kernelWidth}u + kw) * ${g.inChannels}u + column;
  return weightQuad(row * ${g.outChannels}u + channel, ${g.outChannels}u - channel);
}
fn outputRow(slice: Slice, row: u32) -> u32 {${
      s === 1
        ? " return row; }"
        : `
  let a = row / ${phaseWidth};
  let h = a % ${phaseHeight} * ${s}u + slice.phaseH;
  let w = row % ${phaseWidth} * ${s}u + slice.phaseW;
  let pixel = (a / ${phaseHeight} * params.height + h) * params.width + w;
  return select(${"0xffffffffu"}, pixel, h < params.height && w < params.width);
}`
    }`,
  };
}

const winograd = winogradVariants(({ inputs, attrs }) => geometry(inputs, attrs), product, true);

const backward = ({ x, y, weight, attrs }: LargeConvolution) => ({
  inputs: { gradient: y, weight },
  attrs: { ...attrs, inputSize: [x.shape[1]!, x.shape[2]!] as const },
});

const plain = defineKernel({
  name: op,
  inputs: ["gradient", "weight"],
  outputs: ["xGradient"],
  params: sizeParams,
  infer({ gradient, weight }, attrs: Conv2dInputGradientAttrs) {
    checkImage(op, "gradient", gradient, true);
    checkImage(op, "weight", weight, true);
    const g = geometry({ gradient, weight }, attrs);
    const expected = [g.batch, g.outHeight, g.outWidth, g.outChannels];
    check(
      expected.every((extent, axis) => extent === gradient.shape[axis]),
      op,
      `gradient must be ${show(expected)} for inputSize ${show(attrs.inputSize)} and weight ${show(weight.shape)} ` +
        `but is ${show(gradient.shape)}.`,
    );
    return {
      outputs: { xGradient: spec([g.batch, g.height, g.width, g.inChannels], gradient.dtype) },
      params: sizesOf(g),
    };
  },
  variants: [winograd.usual, ...productVariants(product), winograd.measured],
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
    {
      name: "halves",
      inputs: {
        gradient: { shape: [1, 9, 7, 12], dtype: "f16" },
        weight: { shape: [3, 3, 8, 12], dtype: "f16" },
      },
      attrs: { stride: 1, padding: [1, 1, 1, 1], inputSize: [9, 7] },
    },
    {
      name: "halves, odd channels, a weight of singles",
      inputs: { gradient: { shape: [2, 4, 3, 7], dtype: "f16" }, weight: [3, 3, 5, 7] },
      attrs: { stride: 2, padding: [1, 1, 1, 1], inputSize: [7, 5] },
    },
    {
      name: "tile borders",
      inputs: { gradient: [1, 17, 37, 36], weight: [3, 3, 20, 36] },
      attrs: { stride: 1, padding: [1, 1, 1, 1], inputSize: [17, 37] },
    },
    {
      name: "stride 2, small image, many channels",
      inputs: { gradient: [1, 4, 4, 263], weight: [3, 3, 21, 263] },
      attrs: { stride: 2, padding: [1, 1, 1, 1], inputSize: [7, 8] },
    },
    ...winogradCases(backward),
    ...largeCases(backward),
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

/** The gradient + in1. */
const addition = (shape: Shape): Epilogue => ({
  expression: { inputs: 2, constants: [], steps: [{ op: "add", args: ["in0", "in1"] }] },
  product: "in0",
  shape,
});

/** Inputs gradient of y [N, OH, OW, Cout] and weight [KH, KW, Cin, Cout]; output xGradient [N, H, W, Cin] of
 * the type of gradient. */
export const conv2dInputGradient = withEpilogue(plain, "xGradient", [
  {
    name: "epilogue: another gradient, stride 2",
    inputs: { gradient: [1, 4, 3, 12], weight: [3, 3, 8, 12], in1: [1, 7, 5, 8] },
    attrs: { stride: 2, padding: [1, 1, 1, 1], inputSize: [7, 5], epilogue: addition([1, 7, 5, 8]) },
  },
  {
    name: "epilogue: another gradient, many channels",
    inputs: { gradient: [2, 13, 17, 96], weight: [3, 3, 96, 96], in1: [2, 13, 17, 96] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], inputSize: [13, 17], epilogue: addition([2, 13, 17, 96]) },
  },
]);
