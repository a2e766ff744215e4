/**
 * The common form of matrix products, convolutions and both gradients of a convolution:
 * `y[row, column] = Σ_k a[row, k] · b[k, column]`, where a or b may be gathered from an image while it is read. A kernel
 * says in WGSL how its operands are read; the tilings in this folder say how threads share the work.
 */

import { grid, type Pass, perThread } from "../kernel.ts";
import { ceilDiv, type DType } from "../spec.ts";
import { uniform } from "../uniform.ts";
import type { EpilogueCode } from "./epilogue.ts";

/**
 * Operands are read four elements per load: along k, or along the other axis. The k axis is therefore counted in quads;
 * a loader returns zeros for what pads the last quad. The tilings only ask for rows, columns and quads that exist.
 */
export interface Product {
  /** Rows and columns of one slice; rows may be padded so that four neighbours are contiguous in a. */
  readonly rows: number;
  readonly columns: number;
  /** Quads along k, of the slice with the most. */
  readonly quads: number;
  /** Independent products of the same size: batches of matrices, phases of a strided gradient. */
  readonly slices: number;
  /** Rows of y in memory, all slices together; each has `columns` elements. */
  readonly outputRows: number;
  readonly aAlong: "k" | "row";
  readonly bAlong: "k" | "column";
  /** Operand bindings and their element types; y and bias are added by the tiling. */
  readonly read: Readonly<Record<string, string>>;
  /** Operands' bindings that have another name than their tensor. */
  readonly tensors?: Readonly<Record<string, string>>;
  /** Name of the tensor that receives y. */
  readonly output: string;
  readonly bias: boolean;
  /**
   * How many contiguous slices make a row of y in memory, each with its own part of the bias; default 1. `Slice` has a
   * `group` then.
   */
  readonly groups?: number;
  /** Sizes as WGSL expressions: those that come from `params` share a pipeline between shapes. */
  readonly wgsl: { readonly rows: string; readonly columns: string; readonly outputRows: string };
  /**
   * Declares
   * - `struct Slice { quads: u32, … }` and `fn sliceOf(index: u32) -> Slice`;
   * - `struct Row { … }` and `fn rowOf(slice: Slice, row: u32) -> Row`: what does not change along k;
   * - `fn loadA(slice: Slice, row: Row, quad: u32) -> vec4f` along k, or `…, quad: u32, j: u32)` for four rows at `4·quad + j`;
   * - `fn loadB(slice: Slice, column: u32, quad: u32) -> vec4f` along k, or `…, quad: u32, j: u32)` for four columns;
   * - `fn outputRow(slice: Slice, row: u32) -> u32`: the row of y in memory, or at least `outputRows` for padding.
   */
  readonly code: string;
}

/** A product and what is stored of it. */
export interface StoredProduct extends Product {
  /** Type of y's elements; sums are f32 whatever it is, and so are bias and partial sums. */
  readonly outputType: DType;
  /** The epilogue of a sum, applied after the bias and before the store. */
  readonly epilogue: EpilogueCode | undefined;
}

/** Four neighbours of a binding from an element offset, as f32; where it is not vec4, those from `valid` on are zero. */
export const loadQuad = (name: string, elements: string): string =>
  elements.startsWith("vec4")
    ? `fn ${name}Quad(offset: u32, valid: u32) -> vec4f { return vec4f(${name}[offset / 4u]); }`
    : `fn ${name}Quad(offset: u32, valid: u32) -> vec4f {
  let last = offset + min(valid, 4u) - 1u;
  let quad = vec4f(${[0, 1, 2, 3].map((j) => `f32(${name}[${j === 0 ? "offset" : `min(offset + ${j}u, last)`}])`).join(", ")});
  return select(vec4f(), quad, vec4u(0u, 1u, 2u, 3u) < vec4u(valid));
}`;

/** vec4 where every offset is a multiple of 4. */
export const elementsFor = (contiguous: number, dtype: DType = "f32"): string =>
  contiguous % 4 === 0 ? `vec4<${dtype}>` : dtype;

/** How many rows and columns of y a workgroup makes. */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
}

/** Tiles of all slices, before any split of k. */
export const tilesOf = ({ rows, columns, slices }: Product, tile: Tile): number =>
  ceilDiv(rows, tile.rows) * ceilDiv(columns, tile.columns) * slices;

/**
 * Start of an entry point: which tile, slice and part of k this workgroup has. Neighbouring workgroups take neighbouring
 * columns of the same rows, which share a.
 */
export const tileIndices = (product: Product, tile: Tile, splits: number): string => /* wgsl */ `
  let rows = ${product.wgsl.rows};
  let columns = ${product.wgsl.columns};
  let columnTiles = (columns + ${tile.columns - 1}u) / ${tile.columns}u;
  let rowTiles = (rows + ${tile.rows - 1}u) / ${tile.rows}u;
  let index = group.y * groups.x + group.x;
  let firstColumn = index % columnTiles * ${tile.columns}u;
  let firstRow = index / columnTiles % rowTiles * ${tile.rows}u;
  let part = index / columnTiles / rowTiles;
  let slices = ${uniform("slices", product.slices)};
  let splits = ${uniform("splits", splits)};
  if (part >= slices * splits) { return; }
  let slice = sliceOf(part % slices);
  let split = part / slices;
  let quadsPerSplit = (slice.quads + splits - 1u) / splits;
  let firstQuad = split * quadsPerSplit;
  let lastQuad = min(firstQuad + quadsPerSplit, slice.quads);`;

/** WGSL of what is stored of a sum, or of four neighbours, at the flat index `i` in units of as many. */
const finishOf =
  ({ epilogue, outputType }: StoredProduct) =>
  (i: string, value: string, width: 1 | 4): string => {
    if (!epilogue) return width === 4 ? `vec4<${outputType}>(${value})` : `${outputType}(${value})`;
    if (width === epilogue.width) return `epilogue(${i}, ${value})`;
    const each = [0, 1, 2, 3].map((j) => `epilogue(4u * (${i}) + ${j}u, (${value})[${j}])`);
    return `vec4<${outputType}>(${each.join(", ")})`;
  };

/**
 * The tensor that a pass which multiplies binds as the bias. Where there is none to add and `lent` holds, that is an operand of the same
 * type, which is not added, so that products with and without a bias share a pipeline.
 */
function biasOf(product: StoredProduct, splits: number, lent: boolean): string | undefined {
  if (product.bias && splits === 1) return "bias";
  if (!lent || (splits === 1 && product.epilogue)) return undefined;
  const elements = elementsFor(product.columns);
  const operand = Object.keys(product.read).find((name) => product.read[name] === elements);
  return operand && (product.tensors?.[operand] ?? operand);
}

/** `fn store(slice, split, row, column, value)` writes four columns of y (or of the partial sums), bias added. */
function storeFunction(
  product: StoredProduct,
  splits: number,
  bias: string | undefined,
  lent: boolean,
): string {
  const { rows, columns, outputRows } = product.wgsl;
  /** The slice's part of the bias, in units of `width` elements. */
  const biased = (value: string, width: 1 | 4, index: string): string => {
    if (!bias) return value;
    const first = (product.groups ?? 1) > 1 ? `slice.group * (${columns} / ${width}u) + ` : "";
    const own = `bias[${first}${index}]`;
    if (!lent) return `${value} + ${own}`;
    return `${value} + select(${width === 4 ? "vec4f()" : "0.0"}, ${own}, ${uniform("biased", Number(bias === "bias"))} > 0u)`;
  };
  const vectors = product.columns % 4 === 0;
  // Partial sums are stored as an f32 result without an epilogue is, so that both share a pipeline.
  const finish = finishOf(splits === 1 ? product : { ...product, epilogue: undefined, outputType: "f32" });
  const each = [0, 1, 2, 3].map(
    (j) => `
  if (column + ${j}u < ${columns}) { result[offset + ${j}u] = ${finish(`offset + ${j}u`, biased(`value[${j}]`, 1, `column + ${j}u`), 1)}; }`,
  );
  return /* wgsl */ `${splits === 1 ? (product.epilogue?.declarations ?? "") : ""}
fn store(slice: Slice, split: u32, row: u32, column: u32, value: vec4f) {
  if (row >= ${rows} || column >= ${columns}) { return; }
  let to = outputRow(slice, row);
  if (to >= ${outputRows}) { return; }
  let offset = (split * ${outputRows} + to) * ${columns} + column;${
    vectors
      ? `\n  result[offset / 4u] = ${finish("offset / 4u", biased("value", 4, "column / 4u"), 4)};`
      : each.join("")
  }
}`;
}

/**
 * The pass that multiplies, a workgroup for each tile and part of k.
 *
 * @param code its entry point, which calls `store`
 * @param lent see {@link biasOf}
 */
export function tilePass(
  product: StoredProduct,
  tile: Tile,
  splits: number,
  code: string,
  lent = false,
): Pass {
  const bias = biasOf(product, splits, lent);
  const elements = elementsFor(product.columns);
  const whole = splits === 1;
  return {
    read: { ...product.read, ...(bias && { bias: elements }), ...(whole && product.epilogue?.read) },
    // y, or the partial sums, under one name.
    write: { result: whole ? elementsFor(product.columns, product.outputType) : elements },
    tensors: { ...product.tensors, ...(bias && { bias }), result: whole ? product.output : "partial" },
    ...(whole ? {} : { label: "multiply" }),
    workgroups: grid(tilesOf(product, tile) * splits),
    code: `${product.code}\n${storeFunction(product, splits, bias, lent)}${code}`,
  };
}

/** Second pass where k is split: adds the partial sums in their order, so that the result never depends on timing. */
export function totalPass(product: StoredProduct, splits: number): Pass {
  const elements = elementsFor(product.columns);
  const width = elements === "f32" ? 1 : 4;
  const size = (product.outputRows * product.columns) / width;
  const biased = uniform("biased", Math.max(1, ((product.groups ?? 1) * product.columns) / width));
  return {
    label: "total",
    read: { partial: elements, ...(product.bias ? { bias: elements } : {}), ...product.epilogue?.read },
    write: { result: elementsFor(product.columns, product.outputType) },
    tensors: { result: product.output },
    workgroups: grid(ceilDiv(size, 64)),
    code: `${product.epilogue?.declarations ?? ""}${perThread(
      64,
      /* wgsl */ `
  let size = ${uniform("size", size)};
  if (i >= size) { return; }
  var total = partial[i];
  for (var split = 1u; split < ${uniform("splits", splits)}; split++) { total += partial[split * size + i]; }
  result[i] = ${finishOf(product)("i", `total${product.bias ? ` + bias[i % ${biased}]` : ""}`, width)};`,
    )}`,
  };
}
