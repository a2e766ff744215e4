/**
 * Depthwise convolutions: every output channel reads one input channel, so no matrix product applies. A
 * thread makes four channels of a strip of neighbouring pixels and loads once what their windows share.
 */
import { admits, type Call, type Capabilities, grid, type Pass, perThread, type Variant } from "../kernel.ts";
import { elementsFor, loadQuad, type Product, type StoredProduct, tilePass } from "../matmul/product.ts";
import { repeat } from "../repeat.ts";
import { ceilDiv, type DType } from "../spec.ts";
import { type Geometry, times } from "./geometry.ts";

const workgroupSize = 64;
/** Neighbouring pixels that a thread makes. */
export const strip = 4;

/** Whether each group has one input channel. */
export const isDepthwise = (g: Geometry): boolean => g.groups > 1 && g.groupIn === 1;

/**
 * Variants of products, of which those that only `tune` takes are not measured for depthwise convolutions: as a product each channel
 * fills one column of a tile.
 */
export function butDepthwise<I extends string, O extends string, A, P extends string>(
  variants: readonly Variant<I, O, A, P>[],
  geometryOf: (call: Call<I, O, A, P>) => Geometry,
): Variant<I, O, A, P>[] {
  const usual = variants.findIndex(({ when }) => !when);
  return variants.map((variant, index) =>
    index <= usual
      ? variant
      : { ...variant, when: (caps, call) => !isDepthwise(geometryOf(call)) && admits(variant, caps, call) },
  );
}

/** The product of a grouped convolution as its pixels lie in memory: rows of all `channels`, whatever their groups. */
export function acrossGroups(product: Product, pixels: number, channels: number): Product {
  const { groups = 1, wgsl } = product;
  return {
    ...product,
    ...{ columns: channels, slices: 1, groups: 1, rows: pixels, outputRows: pixels },
    wgsl: {
      rows: `(${wgsl.outputRows} / ${groups}u)`,
      columns: `${channels}u`,
      outputRows: `(${wgsl.outputRows} / ${groups}u)`,
    },
  };
}

/**
 * `fn <name>Quad(first: u32, channel: u32) -> vec4f`: four neighbouring channels of y's side, read from a pixel of x that
 * starts at element `first`. Each of x's channels serves `multiplier` of y's.
 */
export const channelQuad = (name: string, g: Geometry, dtype: DType): { elements: string; code: string } => {
  if (g.groupOut === 1) {
    const elements = elementsFor(g.outChannels, dtype);
    return { elements, code: loadQuad(name, elements) };
  }
  const lanes = [0, 1, 2, 3].map(
    (j) => `f32(${name}[offset + min(channel + ${j}u, ${g.outChannels - 1}u) / ${g.groupOut}u])`,
  );
  return {
    elements: dtype,
    code: `fn ${name}Quad(offset: u32, channel: u32) -> vec4f { return vec4f(${lanes.join(", ")}); }`,
  };
};

/** A call of {@link channelQuad}'s function at a pixel's first element. */
export const quadAt = (name: string, g: Geometry, pixel: string): string =>
  g.groupOut === 1
    ? `${name}Quad(${pixel} * ${g.inChannels}u + channel, ${g.outChannels}u - channel)`
    : `${name}Quad(${pixel} * ${g.inChannels}u, channel)`;

/**
 * The forward pass.
 *
 * @param product the convolution by {@link acrossGroups}, which says how results are stored
 * @param types of x and weight
 */
export function depthwisePass(
  _caps: Capabilities,
  g: Geometry,
  product: StoredProduct,
  types: { readonly x: DType; readonly weight: DType },
): Pass {
  const { kernelHeight, kernelWidth, outChannels } = g;
  const x = channelQuad("x", g, types.x);
  const weight = elementsFor(outChannels, types.weight);
  const quads = ceilDiv(outChannels, 4);
  /** Columns of the image that the strip's windows meet, from the first window's first tap on. */
  const met = (p: number, kw: number): number => p * g.stride[1] + kw * g.dilation[1];
  const all = Array.from({ length: strip * kernelWidth }, (_, i) =>
    met(Math.floor(i / kernelWidth), i % kernelWidth),
  );
  const columns = [...new Set(all)].sort((a, b) => a - b);
  const strips = `((params.outWidth + ${strip - 1}u) / ${strip}u)`;
  return {
    ...tilePass(
      {
        ...product,
        read: { x: x.elements, weight },
        code: /* wgsl */ `
${x.code}
${loadQuad("weight", weight)}
struct Slice { unused: u32 }
fn outputRow(slice: Slice, row: u32) -> u32 { return row; }`,
      },
      { rows: product.rows, columns: product.columns },
      1,
      perThread(
        workgroupSize,
        /* wgsl */ `
  let line = i / ${quads}u / ${strips};
  if (line >= params.batch * params.outHeight) { return; }
  let channel = i % ${quads}u * 4u;
  let first = i / ${quads}u % ${strips} * ${strip}u;
  let image = line / params.outHeight;
${repeat(strip, (p) => `  var sum${p} = vec4f();`)}
  for (var kh = 0u; kh < ${kernelHeight}u; kh++) {
    // Above and left of the image the coordinates wrap around to huge values, which are outside too.
    let h = line % params.outHeight * ${g.stride[0]}u + kh${times(g.dilation[0])} - ${g.top}u;
    if (h >= params.height) { continue; }
    let row = (image * params.height + h) * params.width;
    let left = first${times(g.stride[1])} - ${g.left}u;
${columns.map((t) => `    let w${t} = left + ${t}u;\n    let x${t} = select(vec4f(), ${quadAt("x", g, `select(0u, row + w${t}, w${t} < params.width)`)}, w${t} < params.width);`).join("\n")}
${repeat(kernelWidth, (kw) => `    let weight${kw} = weightQuad((kh * ${kernelWidth}u + ${kw}u) * ${outChannels}u + channel, ${outChannels}u - channel);`)}
${repeat(kernelWidth, (kw) => repeat(strip, (p) => `    sum${p} += weight${kw} * x${met(p, kw)};`))}
  }
${repeat(strip, (p) => `  if (first + ${p}u < params.outWidth) { store(Slice(), 0u, line * params.outWidth + first + ${p}u, channel, sum${p}); }`)}`,
      ),
    ),
    workgroups: grid(ceilDiv(g.batch * g.outHeight * ceilDiv(g.outWidth, strip) * quads, workgroupSize)),
  };
}
