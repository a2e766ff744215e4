/**
 * Gradient of a convolution with respect to its image, the adjoint of conv2d in x:
 * `xGradient[n, h, w, ci] = Σ gradient[n, oh, ow, co] · weight[kh, kw, ci, co]` over all taps with
 * `oh·stride + kh·dilation − top = h` and `ow·stride + kw·dilation − left = w`, co in the group of ci.
 */
import { check } from "../errors.ts";
import { type Call, defineKernel } from "../kernel.ts";
import { type Epilogue, withEpilogue } from "../matmul/epilogue.ts";
import { elementsFor, loadQuad, type Product } from "../matmul/product.ts";
import { productVariants, storedProduct } from "../matmul/variants.ts";
import { bytesOf, ceilDiv, type Shape, show, sizeOf, spec, type TensorSpec } from "../spec.ts";
import { quotient, remainder, uniform } from "../uniform.ts";
import { acrossGroups, butDepthwise, isDepthwise } from "./depthwise.ts";
import { depthwiseInputPass } from "./depthwiseInput.ts";
import {
  type Conv2dAttrs,
  checkImage,
  flopsOf,
  forEachProducts,
  type Geometry,
  geometryOf,
  numbersOf,
  type SizeParam,
  sizeParams,
  sizesOf,
  times,
} from "./geometry.ts";
import { inputGradientCases, inputGradientRefusals } from "./inputGradientCases.ts";
import { paddedChannels } from "./paddedChannels.ts";
import { phasesOf, sliceCode } from "./phases.ts";
import { winogradVariants } from "./winograd.ts";

/** Attributes of `conv2dInputGradient`: those of the convolution, and the size of its image. */
export interface Conv2dInputGradientAttrs extends Conv2dAttrs {
  /** Height and width of the image: several give the same output where the stride is above 1. */
  readonly inputSize: readonly [height: number, width: number];
}

const op = "conv2dInputGradient";

function geometry(
  { gradient, weight }: { gradient: TensorSpec; weight: TensorSpec },
  attrs: Conv2dInputGradientAttrs,
): Geometry {
  const x: Shape = [gradient.shape[0]!, ...attrs.inputSize, weight.shape[2]! * (attrs.groups ?? 1)];
  return geometryOf(op, x, weight.shape, attrs);
}

/**
 * Rows are input pixels, k runs over the taps and output channels. With a stride s only every s-th tap in each direction
 * meets a given pixel: pixels are sorted into phases by their remainders, each a product of its own over its taps. Each group
 * of channels is a product of its own, too.
 */
function product({
  inputs,
  attrs,
}: Call<"gradient" | "weight", "xGradient", Conv2dInputGradientAttrs, SizeParam>): Product {
  const g = geometry(inputs, attrs);
  const { groups, groupIn, groupOut } = g;
  const grouped = groups > 1;
  const [sh, sw] = g.stride;
  const strided = sh * sw > 1;
  const elements = elementsFor(groupOut, inputs.gradient.dtype);
  const weightElements = elementsFor(groupOut, inputs.weight.dtype);
  const n = numbersOf(g);
  const channelQuads = Math.max(1, ceilDiv(groupOut, 4));
  const [vertical, horizontal] = phasesOf(g);
  const taps = ceilDiv(g.kernelHeight, vertical.tapStep) * ceilDiv(g.kernelWidth, horizontal.tapStep);
  const quads = taps * ceilDiv(groupOut, 4);
  const tap = `
  let tap = ${quotient("quad", "channelQuads", channelQuads, quads)};
  let channel = (${remainder("quad", "tap", "channelQuads", channelQuads)}) * 4u;
  let tapRow = ${strided ? "quotient(tap, slice.tapsW)" : quotient("tap", "kernelWidth", g.kernelWidth, taps)};`;
  const phaseHeight = strided ? uniform("phaseHeight", ceilDiv(g.height, sh)) : "params.height";
  const phaseWidth = strided ? uniform("phaseWidth", ceilDiv(g.width, sw)) : "params.width";
  const yChannel = grouped ? `slice.group * ${n.groupOut} + channel` : "channel";
  const loaded = `gradientQuad(select(0u, pixel * ${n.outChannels} + ${yChannel}, inside), ${n.groupOut} - channel)`;
  const pixels = "(params.batch * params.height * params.width)";
  /** A pixel's place among the rows of all groups, which alternate in memory. */
  const inGroups = grouped ? ` * ${n.groups} + slice.group` : "";
  return {
    rows: g.batch * ceilDiv(g.height, sh) * ceilDiv(g.width, sw),
    columns: groupIn,
    quads,
    slices: sh * sw * groups,
    outputRows: g.batch * g.height * g.width * groups,
    groups,
    aAlong: "k",
    bAlong: "k",
    read: { gradient: elements, weight: weightElements },
    output: "xGradient",
    bias: false,
    wgsl: {
      rows: `(params.batch * ${phaseHeight} * ${phaseWidth})`,
      columns: n.groupIn,
      outputRows: grouped ? `(${pixels} * ${n.groups})` : pixels,
    },
    code: /* wgsl */ `
${loadQuad("gradient", elements)}
${loadQuad("weight", weightElements)}
${sliceCode(g, [vertical, horizontal], quads, uniform("channelQuads", channelQuads))}
struct Row { image: u32, h: u32, w: u32 }
fn rowOf(slice: Slice, row: u32) -> Row {
  let h = row / ${phaseWidth};
  let n = h / ${phaseHeight};
  return Row(n * params.outHeight * params.outWidth, h % ${phaseHeight} + slice.shiftH, row % ${phaseWidth} + slice.shiftW);
}
fn loadA(slice: Slice, row: Row, quad: u32) -> vec4f {${tap}
  // Above and left of the image the coordinates wrap around to huge values, which are outside too.
  let oh = row.h - tapRow${times(vertical.outStep)};
  let ow = row.w - (tap - tapRow * slice.tapsW)${times(horizontal.outStep)};
  let pixel = row.image + oh * params.outWidth + ow;
  let inside = oh < params.outHeight && ow < params.outWidth;
  return select(vec4f(), ${loaded}, inside);
}
fn loadB(slice: Slice, column: u32, quad: u32) -> vec4f {${tap}
  let kh = slice.firstH + tapRow${times(vertical.tapStep)};
  let kw = slice.firstW + (tap - tapRow * slice.tapsW)${times(horizontal.tapStep)};
  let row = (kh * ${n.kernelWidth} + kw) * ${n.groupIn} + column;
  return weightQuad(row * ${n.outChannels} + ${yChannel}, ${n.groupOut} - channel);
}
fn outputRow(slice: Slice, row: u32) -> u32 {${
      !strided
        ? ` return row${inGroups}; }`
        : `
  let a = row / ${phaseWidth};
  let h = a % ${phaseHeight} * ${n.strideHeight} + slice.phaseH;
  let w = row % ${phaseWidth} * ${n.strideWidth} + slice.phaseW;
  let pixel = (a / ${phaseHeight} * params.height + h) * params.width + w;
  return select(${"0xffffffffu"}, pixel${inGroups}, h < params.height && w < params.width);
}`
    }`,
  };
}

const products = productVariants(product);
const winograd = winogradVariants(({ inputs, attrs }) => geometry(inputs, attrs), product, true);

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
      () =>
        `gradient must be ${show(expected)} for inputSize ${show(attrs.inputSize)} and weight ${show(weight.shape)} ` +
        `but is ${show(gradient.shape)}.`,
    );
    return {
      outputs: { xGradient: spec([g.batch, g.height, g.width, g.inChannels], gradient.dtype) },
      params: sizesOf(g),
    };
  },
  variants: [
    {
      name: "depthwise",
      when: (_caps, { inputs, attrs }) => isDepthwise(geometry(inputs, attrs)),
      passes(caps, call) {
        const g = geometry(call.inputs, call.attrs);
        const pixels = g.batch * g.height * g.width;
        const stored = storedProduct(call, (one) => acrossGroups(product(one), pixels, g.inChannels));
        const { gradient, weight } = call.inputs;
        return [depthwiseInputPass(caps, g, stored, { gradient: gradient.dtype, weight: weight.dtype })];
      },
    },
    winograd.usual,
    paddedChannels(products, ({ inputs, attrs }) => geometry(inputs, attrs), "groupOut", {
      gradient: 3,
      weight: 3,
    }),
    ...butDepthwise(products, ({ inputs, attrs }) => geometry(inputs, attrs)),
    winograd.measured,
  ],
  reference({ gradient, weight }, { inputs, outputs, attrs }) {
    const g = geometry(inputs, attrs);
    const xGradient = new Float64Array(sizeOf(outputs.xGradient.shape));
    forEachProducts(g, (xIndex, weightIndex, yIndex, count) => {
      let total = xGradient[xIndex]!;
      for (let k = 0; k < count; k++) total += gradient[yIndex + k]! * weight[weightIndex + k]!;
      xGradient[xIndex] = total;
    });
    return { xGradient };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: flopsOf(geometry(inputs, attrs)),
    bytes: bytesOf(inputs.gradient) + bytesOf(inputs.weight) + bytesOf(outputs.xGradient),
  }),
  cases: inputGradientCases,
  refusals: inputGradientRefusals,
});

/** The gradient + in1. */
const addition = (shape: Shape): Epilogue => ({
  expression: { inputs: 2, constants: [], steps: [{ op: "add", args: ["in0", "in1"] }] },
  product: "in0",
  shape,
});

/** Inputs gradient of y [N, OH, OW, Cout] and weight [KH, KW, Cin / groups, Cout]; output xGradient [N, H, W, Cin] of
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
