/**
 * Gradient of a convolution with respect to its weight, the adjoint of conv2d in weight:
 * `weightGradient[kh, kw, ci, co] = Σ x[n, oh·stride + kh·dilation − top, ow·stride + kw·dilation − left, ci] · gradient[n, oh, ow, co]`.
 */
import { check } from "../errors.ts";
import { type Call, defineKernel } from "../kernel.ts";
import { elementsFor, loadQuad, type Product } from "../matmul/product.ts";
import { productVariants } from "../matmul/variants.ts";
import { bytesOf, ceilDiv, show, sizeOf, spec, type TensorSpec } from "../spec.ts";
import { quotient, remainder, uniform } from "../uniform.ts";
import { butDepthwise } from "./depthwise.ts";
import { depthwiseWeightGradient } from "./depthwiseWeightGradient.ts";
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
import { weightGradientCases, weightGradientRefusals } from "./weightGradientCases.ts";

/** Attributes of `conv2dWeightGradient`: those of the convolution, and the size of its window. */
export interface Conv2dWeightGradientAttrs extends Conv2dAttrs {
  /** Height and width of the window, KH and KW of the weight. */
  readonly kernelSize: readonly [height: number, width: number];
}

const op = "conv2dWeightGradient";

const geometry = (
  { x, gradient }: { x: TensorSpec; gradient: TensorSpec },
  attrs: Conv2dWeightGradientAttrs,
): Geometry =>
  geometryOf(
    op,
    x.shape,
    [...attrs.kernelSize, x.shape[3]! / (attrs.groups ?? 1), gradient.shape[3]!],
    attrs,
  );

/**
 * Rows are taps and their input channels, k runs over the output pixels: image by image and row by row, each row of the
 * image padded to quads, so that a quad never leaves its row.
 */
function product({
  inputs,
  attrs,
}: Call<"x" | "gradient", "weightGradient", Conv2dWeightGradientAttrs, SizeParam>): Product {
  const g = geometry(inputs, attrs);
  const { groups, groupIn, groupOut } = g;
  const grouped = groups > 1;
  const elements = elementsFor(groupIn, inputs.x.dtype);
  const gradientElements = elementsFor(groupOut, inputs.gradient.dtype);
  const taps = g.kernelHeight * g.kernelWidth;
  const rowsPerTap = Math.max(1, ceilDiv(groupIn, 4)) * 4;
  const n = numbersOf(g);
  const perTap = uniform("rowsPerTap", rowsPerTap);
  const xChannel = grouped ? `slice.group * ${n.groupIn} + row.channel` : "row.channel";
  const yColumn = grouped ? `slice.group * ${n.groupOut} + column` : "column";
  const widthQuads = ceilDiv(g.outWidth, 4);
  const quadsWide = uniform("widthQuads", widthQuads);
  const cut = g.outWidth % 4 > 0;
  const lines = g.batch * g.outHeight;
  const pixel = `
  let line = ${quotient("quad", "widthQuads", widthQuads, lines * widthQuads)};
  let ow = (${remainder("quad", "line", "widthQuads", widthQuads)}) * 4u + j;`;
  /** Rows of one group alternate with those of the others in memory. */
  const inGroups = grouped ? ` * ${n.groups} + slice.group` : "";
  return {
    rows: taps * rowsPerTap,
    columns: groupOut,
    quads: g.batch * g.outHeight * widthQuads,
    slices: groups,
    outputRows: taps * g.inChannels,
    aAlong: "row",
    bAlong: "column",
    read: { x: elements, gradient: gradientElements },
    output: "weightGradient",
    bias: false,
    wgsl: {
      rows: uniform("productRows", taps * rowsPerTap),
      columns: n.groupOut,
      outputRows: uniform("outputRows", taps * g.inChannels),
    },
    code: /* wgsl */ `
${loadQuad("x", elements)}
${loadQuad("gradient", gradientElements)}
struct Slice { quads: u32${grouped ? ", group: u32" : ""} }
fn sliceOf(index: u32) -> Slice { return Slice(params.batch * params.outHeight * ${quadsWide}${grouped ? ", index" : ""}); }
struct Row { h: u32, w: u32, channel: u32 }
fn rowOf(slice: Slice, row: u32) -> Row {
  let tap = row / ${perTap};
  // Above and left of the image the coordinates wrap around to huge values, which are outside too.
  return Row(tap / ${n.kernelWidth} * ${n.dilationHeight} - ${n.top}, tap % ${n.kernelWidth} * ${n.dilationWidth} - ${n.left}, row % ${perTap});
}
fn loadA(slice: Slice, row: Row, quad: u32, j: u32) -> vec4f {${pixel}
  let n = ${quotient("line", "lines", g.outHeight, lines)};
  let h = (line - n * params.outHeight) * ${n.strideHeight} + row.h;
  let w = ow * ${n.strideWidth} + row.w;
  let inside = h < params.height && w < params.width${cut ? " && ow < params.outWidth" : ""};
  let offset = ((n * params.height + h) * params.width + w) * ${n.inChannels} + ${xChannel};
  return select(vec4f(), xQuad(select(0u, offset, inside), ${n.groupIn} - row.channel), inside);
}
fn loadB(slice: Slice, column: u32, quad: u32, j: u32) -> vec4f {${pixel}
  let loaded = gradientQuad((line * params.outWidth + ${cut ? "min(ow, params.outWidth - 1u)" : "ow"}) * ${n.outChannels} + ${yColumn}, ${n.groupOut} - column);
  return ${cut ? "select(vec4f(), loaded, ow < params.outWidth)" : "loaded"};
}
fn outputRow(slice: Slice, row: u32) -> u32 {${
      rowsPerTap === groupIn
        ? ` return row${inGroups}; }`
        : `
  let channel = row % ${perTap};
  return select(0xffffffffu, ${grouped ? "(" : ""}row / ${perTap} * ${n.groupIn} + channel${grouped ? `)${inGroups}` : ""}, channel < ${n.groupIn});
}`
    }`,
  };
}

const products = productVariants(product);

/** Inputs x [N, H, W, Cin] and gradient of y [N, OH, OW, Cout]; output weightGradient [KH, KW, Cin / groups, Cout],
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
      () =>
        `gradient must be ${show(expected)} for x ${show(x.shape)} and kernelSize ${show(attrs.kernelSize)} ` +
        `but is ${show(gradient.shape)}.`,
    );
    return {
      outputs: { weightGradient: spec([g.kernelHeight, g.kernelWidth, g.groupIn, g.outChannels]) },
      params: sizesOf(g),
    };
  },
  variants: [
    depthwiseWeightGradient<Conv2dWeightGradientAttrs, SizeParam>((call) =>
      geometry(call.inputs, call.attrs),
    ),
    paddedChannels(products, ({ inputs, attrs }) => geometry(inputs, attrs), "groupIn", {
      x: 3,
      weightGradient: 2,
    }),
    ...butDepthwise(products, ({ inputs, attrs }) => geometry(inputs, attrs)),
  ],
  reference({ x, gradient }, { inputs, outputs, attrs }) {
    const g = geometry(inputs, attrs);
    const weightGradient = new Float64Array(sizeOf(outputs.weightGradient.shape));
    forEachProducts(g, (xIndex, weightIndex, yIndex, count) => {
      const factor = x[xIndex]!;
      for (let k = 0; k < count; k++) weightGradient[weightIndex + k]! += factor * gradient[yIndex + k]!;
    });
    return { weightGradient };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: flopsOf(geometry(inputs, attrs)),
    bytes: bytesOf(inputs.x) + bytesOf(inputs.gradient) + bytesOf(outputs.weightGradient),
  }),
  cases: weightGradientCases,
  refusals: weightGradientRefusals,
});
