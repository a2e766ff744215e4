/** The lines of a tensor along one axis: what scans, softmax and sorting walk through. */
import { check } from "../errors.ts";
import { type Shape, show, sizeOf } from "../spec.ts";

/** Attributes of kernels that work along one axis. */
export interface AxisAttrs {
  /** 0 … rank − 1. */
  readonly axis: number;
}

/** The uniform parameters of kernels that work along one axis: lines, elements of each, and their distance in memory. */
export const lineParams = { rows: "u32", columns: "u32", inner: "u32" } as const;

/** Lines, elements of each, and their distance in memory. */
export type Lines = Readonly<Record<keyof typeof lineParams, number>>;

/** The lines of `shape` along `axis`; none where they are empty. Throws ShapeError where there is no such axis. */
export function linesOf(op: string, shape: Shape, axis: number): Lines {
  check(shape.length >= 1, op, () => `x must have at least one axis but is ${show(shape)}.`);
  check(
    Number.isInteger(axis) && axis >= 0 && axis < shape.length,
    op,
    () => `axis ${axis} is outside of x ${show(shape)}.`,
  );
  const columns = shape[axis]!;
  const inner = sizeOf(shape.slice(axis + 1));
  return { rows: sizeOf(shape.slice(0, axis)) * (columns ? inner : 0), columns, inner };
}

/** WGSL of the index of the first element of line `row`. */
export const lineStart = (row: string, { inner }: Lines): string =>
  inner === 1
    ? `${row} * params.columns`
    : `${row} / params.inner * params.columns * params.inner + ${row} % params.inner`;

/** WGSL of the distance of neighbouring elements of a line. */
export const lineStride = ({ inner }: Lines): string => (inner === 1 ? "1u" : "params.inner");

/** The index of the first element of line `row`: {@link lineStart} for references. */
export const lineBase = (row: number, { columns, inner }: Lines): number =>
  Math.floor(row / inner) * columns * inner + (row % inner);
