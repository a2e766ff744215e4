/**
 * 2-D convolution (cross-correlation, as in every deep-learning library), channels last:
 * `y[n, oh, ow, co] = bias[co] + Σ x[n, oh·stride + kh·dilation − top, ow·stride + kw·dilation − left, ci] · weight[kh, kw, ci, co]`,
 * where ci runs over the channels of the group that co belongs to.
 *
 * WGSL: the loads of pixels and weights are here; the tilings that call them are `../matmul/workgroupTile.ts` (GPUs),
 * `../matmul/subgroupMatrixTile.ts` (matrix units) and `../matmul/registerTile.ts` (software adapters). `depthwise.ts`,
 * `fewOutputs.ts` and `winogradPasses.ts` hold whole passes. `npm run wgsl -- conv2d "residual block"` prints what a case runs.
 */
import { check } from "../errors.ts";
import { type Call, defineKernel } from "../kernel.ts";
import { withEpilogue } from "../matmul/epilogue.ts";
import { elementsFor, loadQuad, type Product } from "../matmul/product.ts";
import { productVariants, storedProduct } from "../matmul/variants.ts";
import { bytesOf, ceilDiv, show, sizeOf, spec } from "../spec.ts";
import { quotient, remainder, uniform } from "../uniform.ts";
import { acrossGroups, butDepthwise, depthwisePass, isDepthwise } from "./depthwise.ts";
import { epilogueCases } from "./epilogueCases.ts";
import { fewOutputsPass, hasFewOutputs } from "./fewOutputs.ts";
import { forwardCases, forwardRefusals } from "./forwardCases.ts";
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
} from "./geometry.ts";
import { paddedChannels } from "./paddedChannels.ts";
import { isPointwise, pointwiseProduct } from "./pointwise.ts";
import { winogradVariants } from "./winograd.ts";

export type { Conv2dAttrs, Padding } from "./geometry.ts";

const op = "conv2d";
const geometry = (
  inputs: { x: { shape: readonly number[] }; weight: { shape: readonly number[] } },
  attrs: Conv2dAttrs,
): Geometry => geometryOf(op, inputs.x.shape, inputs.weight.shape, attrs);

/** Rows are output pixels, k runs over the taps and their input channels, padded to quads. Each group is a product of its own. */
function product({ inputs, attrs }: Call<"x" | "weight" | "bias", "y", Conv2dAttrs, SizeParam>): Product {
  const g = geometry(inputs, attrs);
  if (isPointwise(g)) return pointwiseProduct(g, inputs);
  const { groups, groupIn, groupOut } = g;
  const grouped = groups > 1;
  const elements = elementsFor(groupIn, inputs.x.dtype);
  const weightElements = elementsFor(groupOut, inputs.weight.dtype);
  const quads = g.kernelHeight * g.kernelWidth * ceilDiv(groupIn, 4);
  const padded = attrs.padding.some((extent) => extent > 0);
  const pixels = "(params.batch * params.outHeight * params.outWidth)";
  const n = numbersOf(g);
  const channelQuads = Math.max(1, ceilDiv(groupIn, 4));
  const tap = `
  let tap = ${quotient("quad", "channelQuads", channelQuads, quads)};
  let channel = (${remainder("quad", "tap", "channelQuads", channelQuads)}) * 4u`;
  const xChannel = grouped ? `slice.group * ${n.groupIn} + channel` : "channel";
  const weightColumn = grouped ? `slice.group * ${n.groupOut} + column` : "column";
  return {
    rows: g.batch * g.outHeight * g.outWidth,
    columns: groupOut,
    quads,
    slices: groups,
    outputRows: g.batch * g.outHeight * g.outWidth * groups,
    groups,
    aAlong: "k",
    bAlong: "column",
    read: { x: elements, weight: weightElements },
    output: "y",
    bias: inputs.bias !== undefined,
    wgsl: {
      rows: pixels,
      columns: n.groupOut,
      outputRows: grouped ? `(${pixels} * ${n.groups})` : pixels,
    },
    code: /* wgsl */ `
${loadQuad("x", elements)}
${loadQuad("weight", weightElements)}
struct Slice { quads: u32${grouped ? ", group: u32" : ""} }
fn sliceOf(index: u32) -> Slice { return Slice(${uniform("quads", quads)}${grouped ? ", index" : ""}); }
struct Row { image: u32, h: u32, w: u32 }
fn rowOf(slice: Slice, row: u32) -> Row {
  let oh = row / params.outWidth;
  let n = oh / params.outHeight;
  // Above and left of the image the coordinates wrap around to huge values, which are outside too.
  return Row(n * params.height * params.width, oh % params.outHeight * ${n.strideHeight} - ${n.top},
    row % params.outWidth * ${n.strideWidth} - ${n.left});
}
fn loadA(slice: Slice, row: Row, quad: u32) -> vec4f {${tap};
  let tapRow = ${quotient("tap", "kernelWidth", g.kernelWidth, g.kernelHeight * g.kernelWidth)};
  let h = row.h + tapRow * ${n.dilationHeight};
  let w = row.w + (tap - tapRow * ${n.kernelWidth}) * ${n.dilationWidth};
  let pixel = row.image + h * params.width + w;${
    padded
      ? `
  let inside = h < params.height && w < params.width;
  return select(vec4f(), xQuad(select(0u, pixel * ${n.inChannels} + ${xChannel}, inside), ${n.groupIn} - channel), inside);`
      : `
  return xQuad(pixel * ${n.inChannels} + ${xChannel}, ${n.groupIn} - channel);`
  }
}
fn loadB(slice: Slice, column: u32, quad: u32, j: u32) -> vec4f {${
      groupIn % 4 === 0
        ? `
  return weightQuad((quad * 4u + j) * ${n.outChannels} + ${weightColumn}, ${n.groupOut} - column);`
        : `${tap} + j;
  let row = tap * ${n.groupIn} + min(channel, ${n.groupIn} - 1u);
  let loaded = weightQuad(row * ${n.outChannels} + ${weightColumn}, ${n.groupOut} - column);
  return select(vec4f(), loaded, channel < ${n.groupIn});`
    }
}
fn outputRow(slice: Slice, row: u32) -> u32 { return row${grouped ? ` * ${n.groups} + slice.group` : ""}; }`,
  };
}

const products = productVariants(product);
const winograd = winogradVariants(({ inputs, attrs }) => geometry(inputs, attrs), product, false);

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
        () => `bias must be f32 [${g.outChannels}] but is ${bias.dtype} ${show(bias.shape)}.`,
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
    {
      name: "depthwise",
      when: (_caps, { inputs, attrs }) => isDepthwise(geometry(inputs, attrs)),
      passes(caps, call) {
        const g = geometry(call.inputs, call.attrs);
        const pixels = g.batch * g.outHeight * g.outWidth;
        const stored = storedProduct(call, (one) => acrossGroups(product(one), pixels, g.outChannels));
        const { x, weight } = call.inputs;
        return [depthwisePass(caps, g, stored, { x: x.dtype, weight: weight.dtype })];
      },
    },
    winograd.usual,
    paddedChannels(products, ({ inputs, attrs }) => geometry(inputs, attrs), "groupIn", { x: 3, weight: 2 }),
    ...butDepthwise(products, ({ inputs, attrs }) => geometry(inputs, attrs)),
    winograd.measured,
  ],
  reference({ x, weight, bias }, { inputs, outputs, attrs }) {
    const g = geometry(inputs, attrs);
    const y = new Float64Array(sizeOf(outputs.y.shape));
    if (bias)
      y.forEach((_, i) => {
        y[i] = bias[i % g.outChannels]!;
      });
    forEachProducts(g, (xIndex, weightIndex, yIndex, count) => {
      const factor = x[xIndex]!;
      for (let k = 0; k < count; k++) y[yIndex + k]! += factor * weight[weightIndex + k]!;
    });
    return { y };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: flopsOf(geometry(inputs, attrs)),
    bytes: bytesOf(inputs.x) + bytesOf(inputs.weight) + bytesOf(outputs.y),
  }),
  cases: forwardCases,
  refusals: forwardRefusals,
});

/** Inputs x [N, H, W, Cin], weight [KH, KW, Cin / groups, Cout], bias [Cout] or none; output y [N, OH, OW, Cout] of the type of x. */
export const conv2d = withEpilogue(plain, "y", epilogueCases);
