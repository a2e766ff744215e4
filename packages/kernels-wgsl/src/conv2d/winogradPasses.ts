/** The passes of a convolution by Winograd's algorithm: a thread makes four channels of one tile, or of a row of weights. */
import { type Capabilities, grid, type Pass, perThread } from "../kernel.ts";
import { matrixProduct } from "../matmul/matrices.ts";
import { loadQuad, type StoredProduct, tilePass } from "../matmul/product.ts";
import { productPass } from "../matmul/variants.ts";
import { repeat } from "../repeat.ts";
import { ceilDiv, spec, type TensorSpec } from "../spec.ts";
import { uniform } from "../uniform.ts";
import type { Geometry } from "./geometry.ts";

const workgroupSize = 64;

/** An image of either side. */
interface Image {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly wgsl: { readonly height: string; readonly width: string };
}

/** A convolution whichever way it goes: from x to y, or from the gradient of y to that of x. */
export interface Convolution {
  readonly batch: number;
  readonly from: Image;
  readonly to: Image;
  /** Zeros above and left of `from`. */
  readonly top: number;
  readonly left: number;
  /** Whether the weight's taps are turned around and its channels swapped. */
  readonly turned: boolean;
}

export function convolutionOf(g: Geometry, turned: boolean): Convolution {
  const { batch, height, width, inChannels, outHeight, outWidth, outChannels, top, left } = g;
  const x: Image = {
    ...{ height, width, channels: inChannels },
    wgsl: { height: "params.height", width: "params.width" },
  };
  const y: Image = {
    ...{ height: outHeight, width: outWidth, channels: outChannels },
    wgsl: { height: "params.outHeight", width: "params.outWidth" },
  };
  return turned
    ? { batch, from: y, to: x, top: 2 - top, left: 2 - left, turned }
    : { batch, from: x, to: y, top, left, turned };
}

/** Tiles of 2×2 pixels of `to`; the last of a row or a column may be cut. */
export const tilesOf = ({ batch, to }: Convolution): number =>
  batch * ceilDiv(to.height, 2) * ceilDiv(to.width, 2);

/** Scratch between the passes: 16 matrices each, one for each place in a tile of 4×4. */
export function scratchOf(convolution: Convolution): Record<"weights" | "tiles" | "products", TensorSpec> {
  const { from, to } = convolution;
  const tiles = tilesOf(convolution);
  return {
    weights: spec([16, from.channels, to.channels]),
    tiles: spec([16, tiles, from.channels]),
    products: spec([16, tiles, to.channels]),
  };
}

const tilesWide = ({ to }: Convolution): string => `((${to.wgsl.width} + 1u) / 2u)`;
const tilesHigh = ({ to }: Convolution): string => `((${to.wgsl.height} + 1u) / 2u)`;
const tiles = (convolution: Convolution): string =>
  `(params.batch * ${tilesHigh(convolution)} * ${tilesWide(convolution)})`;

/** One thread for each tile and four channels: `body` sees `size`, how many there are, `image`, and the tile's first pixel. */
const perTile = (convolution: Convolution, quads: string, body: string): string =>
  perThread(
    workgroupSize,
    /* wgsl */ `
  let size = ${tiles(convolution)} * ${quads};
  if (i >= size) { return; }
  let tile = i / ${quads};
  let line = tile / ${tilesWide(convolution)};
  let image = line / ${tilesHigh(convolution)};
  let down = line % ${tilesHigh(convolution)} * 2u;
  let right = tile % ${tilesWide(convolution)} * 2u;
${body}`,
  );

/** G g Gᵀ of four channels of `to`; columns of the matrices are the places in a row. */
function weightsPass({ from, to, turned }: Convolution, name: string, dtype: string): Pass {
  const count = (from.channels * to.channels) / 4;
  const quads = uniform("weightQuads", count);
  const [fromChannels, toQuads] = [
    uniform("fromChannels", from.channels),
    uniform("toQuads", to.channels / 4),
  ];
  const tap = (index: number): string => {
    if (!turned) return `vec4f(${name}[${index}u * ${quads} + i])`;
    // The weight's rows are the channels of `to` then.
    const first = `${4 * (8 - index)}u * ${quads} + i % ${toQuads} * 4u * ${fromChannels} + i / ${toQuads}`;
    return `vec4f(${repeat(4, (j) => `f32(${name}[${first} + ${j}u * ${fromChannels}])`, ", ")})`;
  };
  return {
    label: "weights",
    read: { [name]: turned ? dtype : `vec4<${dtype}>` },
    write: { weights: "vec4<f32>" },
    workgroups: grid(ceilDiv(count, workgroupSize)),
    code: /* wgsl */ `
fn put(h: u32, i: u32, g: mat3x4f) {
  let even = 0.5 * (g[0] + g[2]);
  let odd = 0.5 * g[1];
  weights[4u * h * ${quads} + i] = g[0];
  weights[(4u * h + 1u) * ${quads} + i] = even + odd;
  weights[(4u * h + 2u) * ${quads} + i] = even - odd;
  weights[(4u * h + 3u) * ${quads} + i] = g[2];
}
${perThread(
  workgroupSize,
  /* wgsl */ `
  if (i >= ${quads}) { return; }
${repeat(3, (kh) => `  let g${kh} = mat3x4f(${repeat(3, (kw) => tap(3 * kh + kw), ", ")});`)}
  let even = 0.5 * (g0 + g2);
  let odd = 0.5 * g1;
  put(0u, i, g0);
  put(1u, i, even + odd);
  put(2u, i, even - odd);
  put(3u, i, g2);`,
)}`,
  };
}

/** Bᵀ d B of four channels of a tile. */
function tilesPass(convolution: Convolution, name: string, elements: string): Pass {
  const { from, top, left } = convolution;
  const { height, width } = from.wgsl;
  const count = from.channels / 4;
  const quads = uniform("fromQuads", count);
  return {
    label: "tiles",
    read: { [name]: elements },
    write: { tiles: "vec4<f32>" },
    workgroups: grid(ceilDiv(tilesOf(convolution) * count, workgroupSize)),
    code: /* wgsl */ `
${loadQuad(name, elements)}
fn load(image: u32, h: u32, w: u32, quad: u32) -> vec4f {
  let inside = h < ${height} && w < ${width};
  let pixel = (image * ${height} + h) * ${width} + w;
  return select(vec4f(), ${name}Quad(select(0u, (pixel * ${quads} + quad) * 4u, inside), 4u), inside);
}
fn row(image: u32, h: u32, w: u32, quad: u32) -> mat4x4f {
${repeat(4, (j) => `  let d${j} = load(image, h, w + ${j}u, quad);`)}
  return mat4x4f(d0 - d2, d1 + d2, d2 - d1, d1 - d3);
}
fn put(h: u32, i: u32, size: u32, d: mat4x4f) {
${repeat(4, (j) => `  tiles[(4u * h + ${j}u) * size + i] = d[${j}];`)}
}
${perTile(
  convolution,
  quads,
  /* wgsl */ `
  // Above and left of the image the coordinates wrap around to huge values, which are outside too.
  let h = down - ${uniform("top", top)};
  let w = right - ${uniform("left", left)};
${repeat(4, (j) => `  let d${j} = row(image, h + ${j}u, w, i % ${quads});`)}
  put(0u, i, size, d0 - d2);
  put(1u, i, size, d1 + d2);
  put(2u, i, size, d2 - d1);
  put(3u, i, size, d1 - d3);`,
)}`,
  };
}

/** The 16 products of tiles and weights. */
function productsPass(caps: Capabilities, convolution: Convolution): Pass {
  const { from, to } = convolution;
  const m = tilesOf(convolution);
  const [k, n] = [from.channels, to.channels];
  const matrix = { elements: "vec4<f32>", transposed: false };
  const product = matrixProduct({
    a: { ...matrix, name: "tiles", first: { outer: m * k }, stride: k },
    b: { ...matrix, name: "weights", first: { outer: k * n }, stride: n },
    y: { name: "products", first: { outer: m }, stride: 1 },
    ...{ m, n, k, slices: 16, outputRows: 16 * m, bias: false },
  });
  return { ...productPass(caps, { ...product, outputType: "f32", epilogue: undefined }), label: "products" };
}

/** Aᵀ m A of four channels of a tile, stored as the convolution's product would be. */
function resultPass(convolution: Convolution, product: StoredProduct): Pass {
  const { to } = convolution;
  const { height, width } = to.wgsl;
  const quads = uniform("toQuads", to.channels / 4);
  const stored: StoredProduct = {
    ...product,
    read: { products: "vec4<f32>" },
    code: /* wgsl */ `
struct Slice { unused: u32 }
fn outputRow(slice: Slice, row: u32) -> u32 { return row; }`,
  };
  return {
    ...tilePass(
      stored,
      { rows: product.rows, columns: product.columns },
      1,
      /* wgsl */ `
fn row(h: u32, i: u32, size: u32) -> mat2x4f {
${repeat(4, (j) => `  let m${j} = products[(4u * h + ${j}u) * size + i];`)}
  return mat2x4f(m0 + m1 + m2, m1 - m2 - m3);
}
fn put(image: u32, h: u32, w: u32, quad: u32, y: mat2x4f) {
  if (h >= ${height}) { return; }
  let pixel = (image * ${height} + h) * ${width} + w;
  store(Slice(), 0u, pixel, quad * 4u, y[0]);
  if (w + 1u < ${width}) { store(Slice(), 0u, pixel + 1u, quad * 4u, y[1]); }
}
${perTile(
  convolution,
  quads,
  /* wgsl */ `
${repeat(4, (j) => `  let m${j} = row(${j}u, i, size);`)}
  put(image, down, right, i % ${quads}, m0 + m1 + m2);
  put(image, down + 1u, right, i % ${quads}, m1 - m2 - m3);`,
)}`,
    ),
    label: "result",
    workgroups: grid(ceilDiv((tilesOf(convolution) * to.channels) / 4, workgroupSize)),
  };
}

/** All of them. @param product the same convolution as a matrix product, which names its image and its weight */
export function winogradPasses(caps: Capabilities, convolution: Convolution, product: StoredProduct): Pass[] {
  const [image, weight] = Object.entries(product.read) as [[string, string], [string, string]];
  return [
    weightsPass(convolution, weight[0], weight[1].includes("f16") ? "f16" : "f32"),
    tilesPass(convolution, ...image),
    productsPass(caps, convolution),
    resultPass(convolution, product),
  ];
}
