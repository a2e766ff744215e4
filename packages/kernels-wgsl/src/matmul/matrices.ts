/** Products of matrices as they lie in storage: row after row of contiguous elements, one matrix for each slice. */
import { loadQuad, type Product } from "./product.ts";

/** An operand [rows, columns] or, transposed, [columns, rows] in storage. Both operands may lie in one binding. */
export interface Matrix {
  /** Its binding. */
  readonly name: string;
  /** WGSL type of the binding's elements: vec4 only where every row starts at a multiple of 4. */
  readonly elements: string;
  /** WGSL: the first element of the slice `index`. */
  readonly first: string;
  /** WGSL: elements from one row in storage to the next. */
  readonly stride: string;
  readonly transposed: boolean;
}

/** `y = a·b` for every slice. */
export interface MatrixProduct {
  readonly a: Matrix;
  readonly b: Matrix;
  /** Where y's rows go: the first row of the slice `index`, and rows from one to the next, as WGSL. */
  readonly y: { readonly name: string; readonly first: string; readonly stride: string };
  /** Numbers of rows of a, columns of b, and elements of each sum, and the same as WGSL. */
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly wgsl: { readonly m: string; readonly n: string; readonly k: string; readonly outputRows: string };
  readonly slices: number;
  readonly bias: boolean;
}

export function matrixProduct({ a, b, y, m, n, k, wgsl, slices, bias }: MatrixProduct): Product {
  const whole = k % 4 === 0;
  const zeroPast = (loaded: string) => (whole ? loaded : `select(vec4f(), ${loaded}, k < ${wgsl.k})`);
  const kOf = whole ? "quad * 4u + j" : `min(k, ${wgsl.k} - 1u)`;
  const kLet = whole ? "" : "\n  let k = quad * 4u + j;";
  return {
    rows: m,
    columns: n,
    quads: Math.ceil(k / 4),
    slices,
    outputRows: slices * m,
    aAlong: a.transposed ? "row" : "k",
    bAlong: b.transposed ? "k" : "column",
    read: { [a.name]: a.elements, [b.name]: b.elements },
    output: y.name,
    bias,
    wgsl: { rows: wgsl.m, columns: wgsl.n, outputRows: wgsl.outputRows },
    code: /* wgsl */ `
${[...new Set([loadQuad(a.name, a.elements), loadQuad(b.name, b.elements)])].join("\n")}
struct Slice { quads: u32, a: u32, b: u32, y: u32 }
fn sliceOf(index: u32) -> Slice {
  return Slice((${wgsl.k} + 3u) / 4u, ${a.first}, ${b.first}, ${y.first});
}
struct Row { index: u32 }
fn rowOf(slice: Slice, row: u32) -> Row { return Row(row); }
${
  a.transposed
    ? `fn loadA(slice: Slice, row: Row, quad: u32, j: u32) -> vec4f {${kLet}
  return ${zeroPast(`${a.name}Quad(slice.a + (${kOf}) * ${a.stride} + row.index, ${wgsl.m} - row.index)`)};
}`
    : `fn loadA(slice: Slice, row: Row, quad: u32) -> vec4f {
  return ${a.name}Quad(slice.a + row.index * ${a.stride} + quad * 4u, ${wgsl.k} - quad * 4u);
}`
}
${
  b.transposed
    ? `fn loadB(slice: Slice, column: u32, quad: u32) -> vec4f {
  return ${b.name}Quad(slice.b + column * ${b.stride} + quad * 4u, ${wgsl.k} - quad * 4u);
}`
    : `fn loadB(slice: Slice, column: u32, quad: u32, j: u32) -> vec4f {${kLet}
  return ${zeroPast(`${b.name}Quad(slice.b + (${kOf}) * ${b.stride} + column, ${wgsl.n} - column)`)};
}`
}
fn outputRow(slice: Slice, row: u32) -> u32 { return slice.y + row * ${y.stride}; }`,
  };
}
