/** Common parts of kernels that take rows by index: the index, and the view of x and y along one axis. */
import { check } from "../errors.ts";
import { type Shape, show, sizeOf, type TensorSpec } from "../spec.ts";

/** Attributes of `gather`. */
export interface RowAttrs {
  /** The axis that is indexed, from 0 on. */
  readonly axis: number;
}

/** Throws unless `index` is of whole numbers. */
export function checkIndex(op: string, index: TensorSpec): void {
  check(
    index.dtype === "i32" || index.dtype === "u32",
    op,
    () =>
      `index must be i32 or u32 but is ${index.dtype} ${show(index.shape)}; ${index.dtype === "bool" ? "how many elements a mask selects is known only after it ran: use where(mask, x, 0)" : "cast it first"}.`,
  );
}

/** Throws unless `axis` is one of a shape's, counted from 0. */
export function checkAxis(op: string, name: string, shape: Shape, axis: number): void {
  check(Number.isInteger(axis) && axis >= 0 && axis < shape.length, op, () =>
    shape.length
      ? `axis ${axis} is outside of ${name} ${show(shape)}.`
      : `${name} must have an axis, but it is a scalar [].`,
  );
}

/** Elements of one row: of all axes behind the one that is indexed. */
export const rowSize = (shape: Shape, axis: number): number => sizeOf(shape.slice(axis + 1));

/**
 * WGSL that declares `row`, the u32 place that the index at `at` stands for: negative ones count from the end, and what is outside
 * is at least `rows`.
 */
export const rowCode = (index: TensorSpec, at: string, rows: string): string =>
  index.dtype === "u32"
    ? `let row = index[${at}];`
    : `let signed = index[${at}];
    let row = u32(select(signed, signed + i32(${rows}), signed < 0));`;

/** The same on the host; −1 where the index is outside. */
export function rowOf(index: number, rows: number): number {
  const row = index < 0 ? index + rows : index;
  return row >= 0 && row < rows ? row : -1;
}
