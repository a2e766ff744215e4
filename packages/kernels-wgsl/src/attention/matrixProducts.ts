/**
 * Attention as matrix products with the matrix of weights in memory: more bytes than the tiles of flash attention, but products
 * at the full speed of the register tiling. On a software adapter, where a load costs as much as several multiply-adds and
 * memory is the host's, that is several times faster.
 */
import { type Capabilities, grid, type Pass, perThread } from "../kernel.ts";
import { type Matrix, matrixProduct } from "../matmul/matrices.ts";
import { elementsFor } from "../matmul/product.ts";
import { fixedSubgroup } from "../matmul/registerTile.ts";
import { productPass } from "../matmul/variants.ts";
import { ceilDiv, spec, type TensorSpec } from "../spec.ts";
import type { AttentionSizes } from "./shared.ts";

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

type Side = "queries" | "keys";

/** Rows of D numbers of each token of a head. */
const tokens = (name: string, side: Side, { dimension }: AttentionSizes, transposed = false): Matrix => ({
  name,
  elements: elementsFor(dimension),
  first: `(index / params.heads * params.${side} * params.heads + index % params.heads) * ${dimension}u`,
  stride: `params.heads * ${dimension}u`,
  transposed,
});

/** [N, heads, queries, keys] */
const weights = (name: string, { keys }: AttentionSizes, transposed = false): Matrix => ({
  name,
  elements: elementsFor(keys),
  first: "index * params.queries * params.keys",
  stride: "params.keys",
  transposed,
});

interface Finish {
  readonly read: Readonly<Record<string, string>>;
  /** WGSL of what is stored of `value` at the flat index `i`, both in fours where y's columns are. */
  readonly result: string;
  /** Statements before it. */
  readonly lines?: string;
}

/** One product, a · b, of every head. @param rows whose rows are a's, or "weights" where y is a matrix of weights */
function product(
  caps: Capabilities,
  sizes: AttentionSizes,
  label: string,
  { a, b, y, rows, k }: { a: Matrix; b: Matrix; y: string; rows: Side | "weights"; k: Side | "dimension" },
  finish?: Finish,
): Pass {
  const { images, heads, keys, dimension } = sizes;
  const n = rows === "weights" ? keys : dimension;
  const side = rows === "weights" ? "queries" : rows;
  const width = n % 4 === 0 ? 4 : 1;
  const type = width === 4 ? "vec4<f32>" : "f32";
  const plain = matrixProduct({
    ...{ a, b, m: sizes[side], n, k: sizes[k], slices: images * heads, bias: false },
    y:
      rows === "weights"
        ? { name: y, first: "index * params.queries", stride: "1u" }
        : {
            name: y,
            first: `index / params.heads * params.${side} * params.heads + index % params.heads`,
            stride: "params.heads",
          },
    wgsl: {
      m: `params.${side}`,
      n: rows === "weights" ? "params.keys" : `${dimension}u`,
      k: k === "dimension" ? `${dimension}u` : `params.${k}`,
      outputRows: `(params.images * params.heads * params.${side})`,
    },
  });
  const epilogue = finish && {
    read: finish.read,
    width: width as 1 | 4,
    declarations: `fn epilogue(i: u32, value: ${type}) -> ${type} {${finish.lines ?? ""}\n  return ${finish.result};\n}`,
  };
  return { ...productPass(caps, { ...plain, outputType: "f32", epilogue }), label };
}

/** The matrix of weights' row of an element at `i`. */
const rowOfWeight = ({ keys }: AttentionSizes): string => `i / (params.keys / ${keys % 4 === 0 ? 4 : 1}u)`;

export const forwardScratch = (sizes: AttentionSizes): Record<string, TensorSpec> => ({
  weights: weightsSpec(sizes),
  factors: spec([sizes.images, sizes.queries, sizes.heads]),
});

/** query, key, value → y, logSumExp. Logits are in base 2 after the first pass. */
export function forwardProducts(caps: Capabilities, sizes: AttentionSizes): Pass[] {
  const { images, heads, queries, keys, dimension } = sizes;
  const width = keys % 4 === 0 ? 4 : 1;
  const type = width === 4 ? "vec4<f32>" : "f32";
  const across = (fn: string): string => (width === 4 ? `${fn}(${fn}(v.x, v.y), ${fn}(v.z, v.w))` : "v");
  return [
    product(caps, sizes, "logits", {
      a: tokens("query", "queries", sizes),
      b: tokens("key", "keys", sizes, true),
      ...{ y: "weights", rows: "weights", k: "dimension" },
    }),
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
    product(
      caps,
      sizes,
      "values",
      {
        a: weights("weights", sizes),
        b: tokens("value", "keys", sizes),
        ...{ y: "y", rows: "queries", k: "keys" },
      },
      {
        read: { factors: "f32" },
        result: `value * factors[i / ${dimension / (dimension % 4 === 0 ? 4 : 1)}u]`,
      },
    ),
  ];
}

export const gradientScratch = (sizes: AttentionSizes): Record<string, TensorSpec> => ({
  weights: weightsSpec(sizes),
  slopes: weightsSpec(sizes),
  delta: spec([sizes.images, sizes.heads, sizes.queries]),
});

/** → queryGradient, keyGradient, valueGradient; `slopes` is dS. */
export function gradientProducts(caps: Capabilities, sizes: AttentionSizes): Pass[] {
  const { images, heads, queries, keys, dimension } = sizes;
  const width = dimension % 4 === 0 ? 4 : 1;
  const row = rowOfWeight(sizes);
  const scaled: Finish = { read: {}, result: "value * params.scale" };
  return [
    {
      label: "delta",
      read: {
        y: width === 4 ? "vec4<f32>" : "f32",
        gradient: width === 4 ? "vec4<f32>" : "f32",
      },
      write: { delta: "f32" },
      workgroups: grid(ceilDiv(images * heads * queries, 64)),
      code: perThread(
        64,
        /* wgsl */ `
  if (i >= params.images * params.heads * params.queries) { return; }
  let query = i % params.queries;
  let head = i / params.queries % params.heads;
  let image = i / (params.queries * params.heads);
  let first = ((image * params.queries + query) * params.heads + head) * ${dimension / width}u;
  var sum = 0.0;
  for (var at = first; at < first + ${dimension / width}u; at++) {
    sum += ${width === 4 ? "dot(gradient[at], y[at])" : "gradient[at] * y[at]"};
  }
  delta[i] = sum;`,
      ),
    },
    product(
      caps,
      sizes,
      "weights",
      {
        a: tokens("query", "queries", sizes),
        b: tokens("key", "keys", sizes, true),
        ...{ y: "weights", rows: "weights", k: "dimension" },
      },
      {
        read: { logSumExp: "f32" },
        result: `exp2((value * params.scale - logSumExp[${row}]) * ${Math.LOG2E})`,
      },
    ),
    product(
      caps,
      sizes,
      "slopes",
      {
        a: tokens("gradient", "queries", sizes),
        b: tokens("value", "keys", sizes, true),
        ...{ y: "slopes", rows: "weights", k: "dimension" },
      },
      {
        read: { weights: elementsFor(keys), delta: "f32" },
        result: `weights[i] * (value - delta[${row}])`,
      },
    ),
    product(caps, sizes, "value", {
      a: weights("weights", sizes, true),
      b: tokens("gradient", "queries", sizes),
      ...{ y: "valueGradient", rows: "keys", k: "queries" },
    }),
    product(
      caps,
      sizes,
      "query",
      {
        a: weights("slopes", sizes),
        b: tokens("key", "keys", sizes),
        ...{ y: "queryGradient", rows: "queries", k: "keys" },
      },
      scaled,
    ),
    product(
      caps,
      sizes,
      "key",
      {
        a: weights("slopes", sizes, true),
        b: tokens("query", "queries", sizes),
        ...{ y: "keyGradient", rows: "keys", k: "queries" },
      },
      scaled,
    ),
  ];
}
