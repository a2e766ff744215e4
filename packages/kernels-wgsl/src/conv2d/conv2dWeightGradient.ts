/**
 * Gradient of a convolution with respect to its weight, the adjoint of conv2d in weight:
 * `weightGradient[kh, kw, ci, co] = Σ x[n, oh·stride + kh·dilation − top, ow·stride + kw·dilation − left, ci] · gradient[n, oh, ow, co]`.
 */
import { check } from "../errors.ts";
import { type Call, defineKernel } from "../kernel.ts";
import { elementsFor, loadQuad, type Product } from "../matmul/product.ts";
import { productVariants } from "../matmul/variants.ts";
import { bytesOf, ceilDiv, show, sizeOf, spec, type TensorSpec } from "../spec.ts";
import { butDepthwise } from "./depthwise.ts";
import { depthwiseWeightGradient } from "./depthwiseWeightGradient.ts";
import {
  type Conv2dAttrs,
  checkImage,
  flopsOf,
  forEachProduct,
  type Geometry,
  geometryOf,
  type SizeParam,
  sizeParams,
  sizesOf,
  times,
} from "./geometry.ts";
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
 * image padded to quads, so that a quad never leaves its row. The sizes of y are
 * baked, because the innermost loop divides by them.
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
  const padded = Math.max(1, ceilDiv(groupIn, 4)) * 4;
  const [strideHeight, strideWidth] = g.stride;
  const xChannel = grouped ? `slice.group * ${groupIn}u + row.channel` : "row.channel";
  const yColumn = grouped ? `slice.group * ${groupOut}u + column` : "column";
  const widthQuads = ceilDiv(g.outWidth, 4);
  /** Rows of one group alternate with those of the others in memory. */
  const inGroups = grouped ? ` * ${groups}u + slice.group` : "";
  return {
    rows: taps * padded,
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
      rows: `${taps * padded}u`,
      columns: `${groupOut}u`,
      outputRows: `${taps * g.inChannels}u`,
    },
    code: /* wgsl */ `
${loadQuad("x", elements)}
${loadQuad("gradient", gradientElements)}
struct Slice { quads: u32${grouped ? ", group: u32" : ""} }
fn sliceOf(index: u32) -> Slice { return Slice(params.batch * ${g.outHeight * widthQuads}u${grouped ? ", index" : ""}); }
struct Row { h: u32, w: u32, channel: u32 }
fn rowOf(slice: Slice, row: u32) -> Row {
  let tap = row / ${padded}u;
  // Above and left of the image the coordinates wrap around to huge values, which are outside too.
  return Row(tap / ${g.kernelWidth}u${times(g.dilation[0])} - ${g.top}u, tap % ${g.kernelWidth}u${times(g.dilation[1])} - ${g.left}u, row % ${padded}u);
}
fn loadA(slice: Slice, row: Row, quad: u32, j: u32) -> vec4f {
  let ow = quad % ${widthQuads}u * 4u + j;
  let oh = quad / ${widthQuads}u % ${g.outHeight}u;
  let n = quad / ${widthQuads * g.outHeight}u;
  let h = oh * ${strideHeight}u + row.h;
  let w = ow * ${strideWidth}u + row.w;
  let inside = h < params.height && w < params.width${g.outWidth % 4 ? ` && ow < ${g.outWidth}u` : ""};
  let offset = ((n * params.height + h) * params.width + w) * ${g.inChannels}u + ${xChannel};
  return select(vec4f(), xQuad(select(0u, offset, inside), ${groupIn}u - row.channel), inside);
}
fn loadB(slice: Slice, column: u32, quad: u32, j: u32) -> vec4f {
  let ow = quad % ${widthQuads}u * 4u + j;
  let row = quad / ${widthQuads}u;
  let loaded = gradientQuad((row * ${g.outWidth}u + ${g.outWidth % 4 ? `min(ow, ${g.outWidth - 1}u)` : "ow"}) * ${g.outChannels}u + ${yColumn}, ${groupOut}u - column);
  return ${g.outWidth % 4 ? `select(vec4f(), loaded, ow < ${g.outWidth}u)` : "loaded"};
}
fn outputRow(slice: Slice, row: u32) -> u32 {${
      padded === groupIn
        ? ` return row${inGroups}; }`
        : `
  let channel = row % ${padded}u;
  return select(0xffffffffu, ${grouped ? "(" : ""}row / ${padded}u * ${groupIn}u + channel${grouped ? `)${inGroups}` : ""}, channel < ${groupIn}u);
}`
    }`,
  };
}

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
    ...butDepthwise(productVariants(product), ({ inputs, attrs }) => geometry(inputs, attrs)),
  ],
  reference({ x, gradient }, { inputs, outputs, attrs }) {
    const g = geometry(inputs, attrs);
    const weightGradient = new Float64Array(sizeOf(outputs.weightGradient.shape));
    forEachProduct(g, (xIndex, weightIndex, yIndex) => {
      weightGradient[weightIndex]! += x[xIndex]! * gradient[yIndex]!;
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
