/** Products of matrices as they lie in storage: row after row of contiguous elements, one matrix for each slice. */
import { uniform } from "../uniform.ts";
import { loadQuad, type Product } from "./product.ts";

/**
 * Where the matrices of the slices begin: slice `s` at `offset + ⌊s / inner⌋ · outer + s mod inner · step`, with one `inner` for all
 * matrices of a product. Or WGSL of the place for the slice `index`, where they do not lie as regularly as that.
 */
export type Firsts =
  | { readonly offset?: number; readonly outer: number; readonly step?: number }
  | { readonly wgsl: string };

/** An operand [rows, columns] or, transposed, [columns, rows] in storage. Both operands may lie in one tensor. */
export interface Matrix {
  /** Its tensor. */
  readonly name: string;
  /** WGSL type of the binding's elements: vec4 only where every row starts at a multiple of 4. */
  readonly elements: string;
  /** In elements. */
  readonly first: Firsts;
  /** Elements from one row in storage to the next. */
  readonly stride: number;
  readonly transposed: boolean;
}

/** `y = a·b` for every slice. Nothing of the sizes is in the code: products of all kernels that read alike share a pipeline. */
export interface MatrixProduct {
  readonly a: Matrix;
  readonly b: Matrix;
  /** Where y's rows go, in rows: the first row of each slice, and rows from one to the next. */
  readonly y: { readonly name: string; readonly first: Firsts; readonly stride: number };
  /** Numbers of rows of a, columns of b, and elements of each sum. */
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Rows of y in memory. */
  readonly outputRows: number;
  readonly slices: number;
  /** Neighbouring slices that lie a `step` apart. Default 1. */
  readonly inner?: number;
  readonly bias: boolean;
}

/** WGSL of the place at which a slice begins. */
function firstOf(name: string, first: Firsts, inner: number): string {
  if ("wgsl" in first) return first.wgsl;
  const { offset = 0, outer, step = 0 } = first;
  const [begin, far, near] = [
    uniform(`${name}Offset`, offset),
    uniform(`${name}Outer`, outer),
    uniform(`${name}Step`, step),
  ];
  return `${begin} + index / ${uniform("inner", inner)} * ${far} + index % ${uniform("inner", inner)} * ${near}`;
}

export function matrixProduct(given: MatrixProduct): Product {
  const { a, b, y, m, n, k, outputRows, slices, inner = 1, bias } = given;
  const whole = k % 4 === 0;
  const [rows, columns, depth] = [
    uniform("matrixRows", m),
    uniform("matrixColumns", n),
    uniform("matrixDepth", k),
  ];
  const strides = {
    a: uniform("aStride", a.stride),
    b: uniform("bStride", b.stride),
    y: uniform("yStride", y.stride),
  };
  const zeroPast = (loaded: string) => (whole ? loaded : `select(vec4f(), ${loaded}, k < ${depth})`);
  const kOf = whole ? "quad * 4u + j" : `min(k, ${depth} - 1u)`;
  const kLet = whole ? "" : "\n  let k = quad * 4u + j;";
  return {
    rows: m,
    columns: n,
    quads: Math.ceil(k / 4),
    slices,
    outputRows,
    aAlong: a.transposed ? "row" : "k",
    bAlong: b.transposed ? "k" : "column",
    read: { a: a.elements, b: b.elements },
    tensors: { a: a.name, b: b.name },
    output: y.name,
    bias,
    wgsl: { rows, columns, outputRows: uniform("outputRows", outputRows) },
    code: /* wgsl */ `
${loadQuad("a", a.elements)}
${loadQuad("b", b.elements)}
struct Slice { quads: u32, a: u32, b: u32, y: u32 }
fn sliceOf(index: u32) -> Slice {
  return Slice((${depth} + 3u) / 4u, ${firstOf("a", a.first, inner)}, ${firstOf("b", b.first, inner)}, ${firstOf("y", y.first, inner)});
}
struct Row { index: u32 }
fn rowOf(slice: Slice, row: u32) -> Row { return Row(row); }
${
  a.transposed
    ? `fn loadA(slice: Slice, row: Row, quad: u32, j: u32) -> vec4f {${kLet}
  return ${zeroPast(`aQuad(slice.a + (${kOf}) * ${strides.a} + row.index, ${rows} - row.index)`)};
}`
    : `fn loadA(slice: Slice, row: Row, quad: u32) -> vec4f {
  return aQuad(slice.a + row.index * ${strides.a} + quad * 4u, ${depth} - quad * 4u);
}`
}
${
  b.transposed
    ? `fn loadB(slice: Slice, column: u32, quad: u32) -> vec4f {
  return bQuad(slice.b + column * ${strides.b} + quad * 4u, ${depth} - quad * 4u);
}`
    : `fn loadB(slice: Slice, column: u32, quad: u32, j: u32) -> vec4f {${kLet}
  return ${zeroPast(`bQuad(slice.b + (${kOf}) * ${strides.b} + column, ${columns} - column)`)};
}`
}
fn outputRow(slice: Slice, row: u32) -> u32 { return slice.y + row * ${strides.y}; }`,
  };
}
