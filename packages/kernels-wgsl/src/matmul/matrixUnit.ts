/**
 * Matrix products of a subgroup ("tensor cores"): the WGSL that tilings use. The hardware's is the subgroup-matrix
 * extension (gpuweb proposal 4195, as Dawn has it); the emulated one does the same with plain sums, so that a tiling can be
 * tested on any adapter.
 */
import type { Capabilities, SubgroupMatrix } from "../kernel.ts";

/** An operand in workgroup memory, row-major, and the elements from one of its rows to the next. */
export interface Piece {
  readonly name: string;
  readonly stride: number;
}

/** left [m, k] · right [k, n] + result [m, n]. */
export interface MatrixUnit {
  /** Type of the operands' elements in workgroup memory; results are f32. */
  readonly component: "f16" | "f32";
  /** Functions that the expressions below call. */
  readonly declarations: string;
  /** An expression: a result of zeros. */
  readonly zero: string;
  /** An expression: the operand whose first element is `offset`. */
  left(offset: string): string;
  right(offset: string): string;
  /** An expression: result + left · right. */
  multiplyAdd(left: string, right: string, result: string): string;
  /** A statement: writes a result to `results`, row-major, its rows `n` apart. */
  store(results: string, offset: string, result: string): string;
}

/** The unit that products may use: not one that a CPU emulates, which is six times slower than its plain multiply-adds. */
export const matrixUnitOf = ({ adapterClass, subgroupMatrix }: Capabilities): SubgroupMatrix | undefined =>
  adapterClass === "software" && !subgroupMatrix?.emulated ? undefined : subgroupMatrix;

/** The attributes of an entry point of so many `threads`, all of them in subgroups of the unit's size. */
export const entryPoint = ({ lanes, sized }: SubgroupMatrix, threads: number): string =>
  `@compute @workgroup_size(${threads})${sized ? ` @subgroup_size(${lanes})` : ""}`;

/** @param a left operands, @param b right operands */
export const matrixUnit = (sizes: SubgroupMatrix, a: Piece, b: Piece): MatrixUnit =>
  sizes.emulated ? emulated(sizes, a, b) : hardware(sizes, a, b);

/** WGSL names a matrix by its columns and rows. */
const hardware = ({ m, n, k }: SubgroupMatrix, a: Piece, b: Piece): MatrixUnit => ({
  component: "f16",
  declarations: "",
  zero: `subgroup_matrix_result<f32, ${n}, ${m}>()`,
  left: (offset) =>
    `subgroupMatrixLoad<subgroup_matrix_left<f16, ${k}, ${m}>, row_major>(&${a.name}, ${offset}, ${a.stride}u)`,
  right: (offset) =>
    `subgroupMatrixLoad<subgroup_matrix_right<f16, ${n}, ${k}>, row_major>(&${b.name}, ${offset}, ${b.stride}u)`,
  multiplyAdd: (left, right, result) => `subgroupMatrixMultiplyAccumulate(${left}, ${right}, ${result})`,
  store: (results, offset, result) =>
    `subgroupMatrixStore<row_major>(&${results}, ${offset}, ${result}, ${n}u);`,
});

/** An operand is where it starts in its piece; each lane sums four neighbours of a result, so that m · n must be 4 · lanes. */
const emulated = ({ n, k }: SubgroupMatrix, a: Piece, b: Piece): MatrixUnit => ({
  component: "f32",
  declarations: /* wgsl */ `
fn multiplyAdd(left: u32, right: u32, lane: u32, before: vec4f) -> vec4f {
  let row = left + lane * 4u / ${n}u * ${a.stride}u;
  let column = right + lane * 4u % ${n}u;
  var result = before;
  for (var k = 0u; k < ${k}u; k++) {
    let first = column + k * ${b.stride}u;
    result += ${a.name}[row + k] * vec4f(${[0, 1, 2, 3].map((i) => `${b.name}[first + ${i}u]`).join(", ")});
  }
  return result;
}`,
  zero: "vec4f()",
  left: (offset) => offset,
  right: (offset) => offset,
  multiplyAdd: (left, right, result) => `multiplyAdd(${left}, ${right}, lane, ${result})`,
  store: (results, offset, result) =>
    [0, 1, 2, 3].map((i) => `${results}[${offset} + lane * 4u + ${i}u] = ${result}[${i}];`).join(" "),
});
