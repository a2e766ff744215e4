/**
 * Attention as matrix products with the matrix of weights in memory: more bytes than the tiles of flash attention, but products
 * at the full speed of the tilings. On a software adapter, where a load costs as much as several multiply-adds and memory is
 * the host's, that is several times faster; on a GPU it is measured, and where operands are f16 its matrix unit does the work.
 */
import { type Capabilities, grid, type Pass, perThread } from "../kernel.ts";
import { type Matrix, type MatrixProduct, matrixProduct } from "../matmul/matrices.ts";
import { matrixUnitOf } from "../matmul/matrixUnit.ts";
import { elementsFor } from "../matmul/product.ts";
import { fixedSubgroup } from "../matmul/registerTile.ts";
import { productPass } from "../matmul/variants.ts";
import { bytesOf, ceilDiv, type DType, spec, type TensorSpec } from "../spec.ts";
import {
  type AttentionLayout,
  type AttentionSizes,
  bindingsOf,
  loadType,
  type Role,
  type Rows,
  rowOf,
} from "./shared.ts";
import { softmaxLanes, softmaxPass } from "./softmaxPass.ts";

/**
 * Bytes of a matrix of weights that are still held: on software adapters 4 images of 4 heads of 2048 tokens, elsewhere what
 * every adapter can bind.
 */
const largestWeights = { software: 2 ** 28, measured: 2 ** 27 };

const weightsSpec = ({ images, heads, queries, keys }: AttentionSizes, dtype: DType = "f32"): TensorSpec =>
  spec([images, heads, queries, keys], dtype);

/** Whether this variant is the fastest by far. */
export const winsByProducts = (caps: Capabilities, sizes: AttentionSizes): boolean =>
  caps.adapterClass === "software" &&
  fixedSubgroup(caps) > 0 &&
  bytesOf(weightsSpec(sizes)) <= largestWeights.software;

/** Whether this variant is worth measuring. */
export const fitsProducts = (caps: Capabilities, sizes: AttentionSizes): boolean =>
  caps.adapterClass !== "software" && bytesOf(weightsSpec(sizes)) <= largestWeights.measured;

/** Type of the weights in memory: f16 where the matrix unit takes them. What comes of a product is summed in f32. */
const weightsType = (caps: Capabilities, { dtype }: AttentionLayout): DType =>
  matrixUnitOf(caps) ? dtype : "f32";

/** Where the rows of a head begin, in rows: slices are heads, those of an image behind one another. */
function firstRows(sizes: AttentionSizes, { side, parts, part }: Rows, unit = 1) {
  const { heads } = sizes;
  return {
    first: { offset: part * unit, outer: sizes[side] * heads * parts * unit, step: parts * unit },
    stride: heads * parts * unit,
  };
}

/** Rows of D numbers of each token of a head. */
function tokens(layout: AttentionLayout, role: Role, transposed = false): Matrix {
  const { dimension, dtype } = layout;
  const rows = layout.rows[role];
  const elements = elementsFor(dimension, dtype);
  return { name: rows.name, elements, ...firstRows(layout, rows, dimension), transposed };
}

/** [N, heads, queries, keys] */
function weights(
  name: string,
  { heads, queries, keys }: AttentionSizes,
  dtype: DType,
  transposed: boolean,
): Matrix {
  const step = queries * keys;
  return {
    name,
    elements: elementsFor(keys, dtype),
    first: { outer: heads * step, step },
    stride: keys,
    transposed,
  };
}

interface Finish {
  readonly read: Readonly<Record<string, string>>;
  /** WGSL of what is stored of `value` at the flat index `i`, both in fours where the result's columns are. */
  readonly result: string;
}

/** One product of every head, which is all of a pass. */
function productOf(
  caps: Capabilities,
  { images, heads }: AttentionSizes,
  product: Omit<MatrixProduct, "slices" | "inner" | "bias">,
  outputType: DType,
  finish: Finish | undefined,
): Pass {
  const width = product.n % 4 === 0 ? 4 : 1;
  const stored = elementsFor(product.n, outputType);
  const epilogue = finish && {
    read: finish.read,
    width: width as 1 | 4,
    declarations: `fn epilogue(i: u32, value: ${elementsFor(product.n)}) -> ${stored} {\n  return ${stored}(${finish.result});\n}`,
  };
  const plain = matrixProduct({ ...product, slices: images * heads, inner: heads, bias: false });
  return productPass(caps, { ...plain, outputType, epilogue });
}

/** Each query's row of `left` times each key's row of `right`: a matrix `y` of weights of type `dtype`. */
function weightsProduct(
  caps: Capabilities,
  layout: AttentionLayout,
  { y, left, right, dtype }: { y: string; left: Role; right: Role; dtype: DType },
  finish?: Finish,
): Pass {
  const { images, heads, queries, keys, dimension } = layout;
  return productOf(
    caps,
    layout,
    {
      a: tokens(layout, left),
      b: tokens(layout, right, true),
      y: { name: y, first: { outer: heads * queries, step: queries }, stride: 1 },
      ...{ m: queries, n: keys, k: dimension, outputRows: images * heads * queries },
    },
    dtype,
    finish,
  );
}

/** A matrix of weights, transposed where `y` belongs to keys, times the rows of `of`, which belong to the other side. */
function tokensProduct(
  caps: Capabilities,
  layout: AttentionLayout,
  { y, by, of }: { y: Role; by: string; of: Role },
  finish?: Finish,
): Pass {
  const { images, heads, dimension, dtype, rows } = layout;
  const { name, side, parts } = rows[y];
  const other = rows[of].side;
  return productOf(
    caps,
    layout,
    {
      a: weights(by, layout, weightsType(caps, layout), side === "keys"),
      b: tokens(layout, of),
      y: { name, ...firstRows(layout, rows[y]) },
      ...{
        m: layout[side],
        n: dimension,
        k: layout[other],
        outputRows: images * heads * layout[side] * parts,
      },
    },
    dtype,
    finish,
  );
}

/** The matrix of weights' row of an element at `i`. */
const rowOfWeight = ({ keys }: AttentionSizes): string => `i / (params.keys / ${keys % 4 === 0 ? 4 : 1}u)`;

/** A weight at `i`, or four of them: 0 where the query does not see the key. */
function seen(sizes: AttentionSizes, weight: string): string {
  if (!sizes.causal) return weight;
  const width = sizes.keys % 4 === 0 ? 4 : 1;
  const key = `i % (params.keys / ${width}u) * ${width}u`;
  const query = `${rowOfWeight(sizes)} % params.queries`;
  return width === 1
    ? `select(0.0, ${weight}, ${key} <= ${query})`
    : `select(vec4f(), ${weight}, vec4u(${key}) + vec4u(0u, 1u, 2u, 3u) <= vec4u(${query}))`;
}

/** Weights take the place of the logits where they have their type. */
const logitsName = (dtype: DType): string => (dtype === "f32" ? "weights" : "logits");

export function forwardScratch(caps: Capabilities, layout: AttentionLayout): Record<string, TensorSpec> {
  const dtype = weightsType(caps, layout);
  return {
    [logitsName(dtype)]: weightsSpec(layout),
    weights: weightsSpec(layout, dtype),
    factors: spec([layout.images, layout.queries, layout.heads]),
  };
}

/** query, key, value → y, logSumExp. */
export function forwardProducts(caps: Capabilities, layout: AttentionLayout): Pass[] {
  const dtype = weightsType(caps, layout);
  const logits = logitsName(dtype);
  const lanes = caps.adapterClass === "software" ? 1 : softmaxLanes(layout);
  return [
    {
      ...weightsProduct(caps, layout, { y: logits, left: "query", right: "key", dtype: "f32" }),
      label: "logits",
    },
    softmaxPass(layout, lanes, { from: logits, to: "weights", dtype }),
    {
      ...tokensProduct(
        caps,
        layout,
        { y: "y", by: "weights", of: "value" },
        {
          read: { factors: "f32" },
          result: "value * factors[i / params.columns]",
        },
      ),
      label: "values",
    },
  ];
}

/**
 * Whether what follows the products is a pass of its own: without an epilogue they share their pipelines with all other products, and a
 * compiler for CPUs, which takes half a second for each, has two less.
 */
const softmaxApart = (caps: Capabilities, layout: AttentionLayout): boolean =>
  caps.adapterClass === "software" && weightsType(caps, layout) === "f32";

export function gradientScratch(caps: Capabilities, layout: AttentionLayout): Record<string, TensorSpec> {
  const ofWeights = weightsSpec(layout, weightsType(caps, layout));
  return {
    weights: ofWeights,
    slopes: ofWeights,
    ...(softmaxApart(caps, layout) ? {} : { deltas: spec([layout.images, layout.heads, layout.queries]) }),
  };
}

/** → queryGradient, keyGradient, valueGradient; `slopes` is dS, scaled. */
export function gradientProducts(caps: Capabilities, layout: AttentionLayout): Pass[] {
  return [
    ...(softmaxApart(caps, layout) ? weightsThenSoftmax : weightsInEpilogues)(caps, layout),
    {
      ...tokensProduct(caps, layout, { y: "valueGradient", by: "weights", of: "gradient" }),
      label: "value",
    },
    {
      ...tokensProduct(caps, layout, { y: "queryGradient", by: "slopes", of: "key" }),
      label: "query",
    },
    {
      ...tokensProduct(caps, layout, { y: "keyGradient", by: "slopes", of: "query" }),
      label: "key",
    },
  ];
}

/** Products first, then both matrices row by row. */
function weightsThenSoftmax(caps: Capabilities, layout: AttentionLayout): Pass[] {
  const plain = (y: string, left: Role, right: Role): Pass => ({
    ...weightsProduct(caps, layout, { y, left, right, dtype: "f32" }),
    label: y,
  });
  return [
    plain("weights", "query", "key"),
    plain("slopes", "gradient", "value"),
    softmaxGradientPass(layout),
  ];
}

/**
 * A thread for each row: `weights` holds logits, not yet scaled, and then weights; `slopes` holds the gradient at the weights, and then
 * that at the logits, scaled.
 */
function softmaxGradientPass(layout: AttentionLayout): Pass {
  const { images, heads, queries, keys } = layout;
  const elements = elementsFor(keys);
  return {
    label: "softmax",
    read: { logSumExp: "f32", ...bindingsOf(layout, ["y", "gradient"]) },
    write: { weights: elements, slopes: elements },
    workgroups: grid(ceilDiv(images * heads * queries, 64)),
    code: perThread(
      64,
      /* wgsl */ `
  let row = i;
  if (row >= params.images * params.heads * params.queries) { return; }
${deltaOf(layout, "row")}
  let length = params.keys / ${keys % 4 === 0 ? 4 : 1}u;
  for (var i = row * length; i < (row + 1u) * length; i++) {
    let weight = ${seen(layout, `exp2((weights[i] * params.scale - logSumExp[row]) * ${Math.LOG2E})`)};
    weights[i] = weight;
    slopes[i] = params.scale * weight * (slopes[i] - delta);
  }`,
    ),
  };
}

/** WGSL of `delta`, Σ y · gradient of a `row` of the weights. */
function deltaOf(layout: AttentionLayout, row: string): string {
  const type = loadType(layout);
  const [a, b] = [`${type}(gradient[at])`, `${type}(y[at])`];
  return /* wgsl */ `
  let query = ${row} % params.queries;
  let head = ${row} / params.queries % params.heads;
  let image = ${row} / (params.queries * params.heads);
  let first = ${rowOf(layout.rows.y, "image", "query", "head")} * params.columns;
  var delta = 0.0;
  for (var at = first; at < first + params.columns; at++) { delta += ${type === "f32" ? `${a} * ${b}` : `dot(${a}, ${b})`}; }`;
}

/** What follows each of the two products is done before it is stored. */
function weightsInEpilogues(caps: Capabilities, layout: AttentionLayout): Pass[] {
  const { images, heads, queries, keys } = layout;
  const dtype = weightsType(caps, layout);
  const row = rowOfWeight(layout);
  return [
    {
      label: "delta",
      read: bindingsOf(layout, ["y", "gradient"]),
      write: { deltas: "f32" },
      workgroups: grid(ceilDiv(images * heads * queries, 64)),
      code: perThread(
        64,
        /* wgsl */ `
  if (i >= params.images * params.heads * params.queries) { return; }
${deltaOf(layout, "i")}
  deltas[i] = delta;`,
      ),
    },
    {
      ...weightsProduct(
        caps,
        layout,
        { y: "weights", left: "query", right: "key", dtype },
        {
          read: { logSumExp: "f32" },
          result: seen(layout, `exp2((value * params.scale - logSumExp[${row}]) * ${Math.LOG2E})`),
        },
      ),
      label: "weights",
    },
    {
      ...weightsProduct(
        caps,
        layout,
        { y: "slopes", left: "gradient", right: "value", dtype },
        {
          read: { weights: elementsFor(keys, dtype), deltas: "f32" },
          result: `params.scale * ${elementsFor(keys)}(weights[i]) * (value - deltas[${row}])`,
        },
      ),
      label: "slopes",
    },
  ];
}
