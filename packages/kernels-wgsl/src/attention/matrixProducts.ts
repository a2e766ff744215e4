/**
 * Attention as matrix products with the matrix of weights in memory: more bytes than the tiles of flash attention, but products
 * at the full speed of the register tiling. On a software adapter, where a load costs as much as several multiply-adds and
 * memory is the host's, that is several times faster.
 */
import { type Capabilities, grid, type Pass, perThread } from "../kernel.ts";
import { type Matrix, type MatrixProduct, matrixProduct } from "../matmul/matrices.ts";
import { elementsFor } from "../matmul/product.ts";
import { fixedSubgroup } from "../matmul/registerTile.ts";
import { productPass } from "../matmul/variants.ts";
import { ceilDiv, type DType, spec, type TensorSpec } from "../spec.ts";
import {
  type AttentionLayout,
  type AttentionSizes,
  bindingsOf,
  loadType,
  type Role,
  type Rows,
  rowOf,
} from "./shared.ts";

/** Bytes of a matrix of weights that are still held: 4 images of 4 heads of 2048 tokens. */
const largestWeights = 2 ** 28;

const weightsSpec = ({ images, heads, queries, keys }: AttentionSizes): TensorSpec =>
  spec([images, heads, queries, keys]);

export const fitsMatrixProducts = (caps: Capabilities, sizes: AttentionSizes): boolean => {
  const { images, heads, queries, keys } = sizes;
  return (
    caps.adapterClass === "software" &&
    fixedSubgroup(caps) > 0 &&
    4 * images * heads * queries * keys <= largestWeights
  );
};

/** The first token's row in the slice `index`. */
const firstRow = (rows: Rows): string => rowOf(rows, "index / params.heads", "0u", "index % params.heads");

/** Rows of D numbers of each token of a head. */
function tokens({ rows, dimension, dtype }: AttentionLayout, role: Role, transposed = false): Matrix {
  const { name, parts } = rows[role];
  return {
    name,
    elements: elementsFor(dimension, dtype),
    first: `${firstRow(rows[role])} * ${dimension}u`,
    stride: `params.heads * ${parts * dimension}u`,
    transposed,
  };
}

/** [N, heads, queries, keys] */
const weights = (name: string, { keys }: AttentionSizes, transposed: boolean): Matrix => ({
  name,
  elements: elementsFor(keys),
  first: "index * params.queries * params.keys",
  stride: "params.keys",
  transposed,
});

interface Finish {
  readonly read: Readonly<Record<string, string>>;
  /** WGSL of what is stored of `value` at the flat index `i`, both in fours where the result's columns are. */
  readonly result: string;
}

/** One product of every head, which is all of a pass. */
function productOf(
  caps: Capabilities,
  { images, heads }: AttentionSizes,
  product: Omit<MatrixProduct, "slices" | "bias">,
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
  const plain = matrixProduct({ ...product, slices: images * heads, bias: false });
  return productPass(caps, { ...plain, outputType, epilogue });
}

/** Each query's row of `left` times each key's row of `right`: a matrix of weights `y`. */
function weightsProduct(
  caps: Capabilities,
  layout: AttentionLayout,
  { y, left, right }: { y: string; left: Role; right: Role },
  finish?: Finish,
): Pass {
  const { queries, keys, dimension } = layout;
  return productOf(
    caps,
    layout,
    {
      a: tokens(layout, left),
      b: tokens(layout, right, true),
      y: { name: y, first: "index * params.queries", stride: "1u" },
      ...{ m: queries, n: keys, k: dimension },
      wgsl: {
        m: "params.queries",
        n: "params.keys",
        k: `${dimension}u`,
        outputRows: "(params.images * params.heads * params.queries)",
      },
    },
    "f32",
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
  const { dimension, dtype, rows } = layout;
  const { name, side, parts } = rows[y];
  const other = rows[of].side;
  return productOf(
    caps,
    layout,
    {
      a: weights(by, layout, side === "keys"),
      b: tokens(layout, of),
      y: { name, first: firstRow(rows[y]), stride: `params.heads * ${parts}u` },
      ...{ m: layout[side], n: dimension, k: layout[other] },
      wgsl: {
        m: `params.${side}`,
        n: `${dimension}u`,
        k: `params.${other}`,
        outputRows: `(params.images * params.heads * params.${side} * ${parts}u)`,
      },
    },
    dtype,
    finish,
  );
}

/** The matrix of weights' row of an element at `i`. */
const rowOfWeight = ({ keys }: AttentionSizes): string => `i / (params.keys / ${keys % 4 === 0 ? 4 : 1}u)`;

export const forwardScratch = (sizes: AttentionSizes): Record<string, TensorSpec> => ({
  weights: weightsSpec(sizes),
  factors: spec([sizes.images, sizes.queries, sizes.heads]),
});

/** query, key, value → y, logSumExp. Logits are in base 2 after the first pass. */
export function forwardProducts(caps: Capabilities, layout: AttentionLayout): Pass[] {
  const { images, heads, queries, keys, dimension } = layout;
  const width = keys % 4 === 0 ? 4 : 1;
  const type = width === 4 ? "vec4<f32>" : "f32";
  const across = (fn: string): string => (width === 4 ? `${fn}(${fn}(v.x, v.y), ${fn}(v.z, v.w))` : "v");
  return [
    { ...weightsProduct(caps, layout, { y: "weights", left: "query", right: "key" }), label: "logits" },
    {
      label: "softmax",
      read: {},
      write: { weights: type, factors: "f32", logSumExp: "f32" },
      workgroups: grid(ceilDiv(images * heads * queries, 64)),
      code: /* wgsl */ `
alias V = ${type};
fn largest(v: V) -> f32 { return ${across("max")}; }
fn total(v: V) -> f32 { return ${width === 4 ? "dot(v, vec4f(1.0))" : "v"}; }
${perThread(
  64,
  /* wgsl */ `
  if (i >= params.images * params.heads * params.queries) { return; }
  let factor = params.scale * ${Math.LOG2E};
  let length = params.keys / ${width}u;
  let first = i * length;
  let end = first + length;
  var tops = V(-3.4e38);
  for (var at = first; at < end; at++) { tops = max(tops, weights[at] * factor); }
  let top = largest(tops);
  var sums = V();
  for (var at = first; at < end; at++) {
    let weight = exp2(weights[at] * factor - top);
    weights[at] = weight;
    sums += weight;
  }
  let sum = total(sums);
  let query = i % params.queries;
  let head = i / params.queries % params.heads;
  let image = i / (params.queries * params.heads);
  factors[(image * params.queries + query) * params.heads + head] = 1.0 / sum;
  logSumExp[i] = (top + log2(sum)) * ${Math.LN2};`,
)}`,
    },
    {
      ...tokensProduct(
        caps,
        layout,
        { y: "y", by: "weights", of: "value" },
        {
          read: { factors: "f32" },
          result: `value * factors[i / ${dimension / (dimension % 4 === 0 ? 4 : 1)}u]`,
        },
      ),
      label: "values",
    },
  ];
}

export const gradientScratch = (sizes: AttentionSizes): Record<string, TensorSpec> => ({
  weights: weightsSpec(sizes),
  slopes: weightsSpec(sizes),
  delta: spec([sizes.images, sizes.heads, sizes.queries]),
});

/** → queryGradient, keyGradient, valueGradient; `slopes` is dS. */
export function gradientProducts(caps: Capabilities, layout: AttentionLayout): Pass[] {
  const { images, heads, queries, keys } = layout;
  const row = rowOfWeight(layout);
  const type = loadType(layout);
  const [a, b] = [`${type}(gradient[at])`, `${type}(y[at])`];
  const product = type === "f32" ? `${a} * ${b}` : `dot(${a}, ${b})`;
  const scaled: Finish = { read: {}, result: "value * params.scale" };
  return [
    {
      label: "delta",
      read: bindingsOf(layout, ["y", "gradient"]),
      write: { delta: "f32" },
      workgroups: grid(ceilDiv(images * heads * queries, 64)),
      code: perThread(
        64,
        /* wgsl */ `
  if (i >= params.images * params.heads * params.queries) { return; }
  let query = i % params.queries;
  let head = i / params.queries % params.heads;
  let image = i / (params.queries * params.heads);
  let first = ${rowOf(layout.rows.y, "image", "query", "head")} * params.columns;
  var sum = 0.0;
  for (var at = first; at < first + params.columns; at++) {
    sum += ${product};
  }
  delta[i] = sum;`,
      ),
    },
    {
      ...weightsProduct(
        caps,
        layout,
        { y: "weights", left: "query", right: "key" },
        {
          read: { logSumExp: "f32" },
          result: `exp2((value * params.scale - logSumExp[${row}]) * ${Math.LOG2E})`,
        },
      ),
      label: "weights",
    },
    {
      ...weightsProduct(
        caps,
        layout,
        { y: "slopes", left: "gradient", right: "value" },
        {
          read: { weights: elementsFor(keys), delta: "f32" },
          result: `weights[i] * (value - delta[${row}])`,
        },
      ),
      label: "slopes",
    },
    {
      ...tokensProduct(caps, layout, { y: "valueGradient", by: "weights", of: "gradient" }),
      label: "value",
    },
    {
      ...tokensProduct(caps, layout, { y: "queryGradient", by: "slopes", of: "key" }, scaled),
      label: "query",
    },
    {
      ...tokensProduct(caps, layout, { y: "keyGradient", by: "slopes", of: "query" }, scaled),
      label: "key",
    },
  ];
}
