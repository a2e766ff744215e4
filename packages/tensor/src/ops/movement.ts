/** Operations that only move elements: concat, slice, pad, permute, gather. */
import {
  concat as concatKernel,
  copy as copyKernel,
  type DType,
  type Float,
  gather as gatherKernel,
  pad as padKernel,
  permute as permuteKernel,
  type Shape,
  ShapeError,
  scatterAdd,
  slice as sliceKernel,
} from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { normaliseAxes } from "./axes.ts";

/** Joins tensors along `axis` (negative: from the end); their other extents must agree. */
export function concat<D extends DType = Float>(tensors: readonly Tensor<D>[], axis: number): Tensor<D> {
  const [first, ...others] = tensors;
  if (!first) throw new ShapeError("concat: needs at least one tensor.");
  const [along] = normaliseAxes("concat", first.shape, axis) as [number];
  return others.reduce((a, b) => concatTwo(a, b, along), first);
}

function concatTwo<D extends DType>(a: Tensor<D>, b: Tensor<D>, axis: number): Tensor<D> {
  const start = (offset: number): number[] => a.shape.map((_, k) => (k === axis ? offset : 0));
  const {
    y,
  }: Record<"y", Tensor<D>> = record(
    concatKernel,
    { a, b },
    { axis },
    {
      a: ({ y: g }) => slice(g, start(0), a.shape),
      b: ({ y: g }) => slice(g, start(a.shape[axis]!), b.shape),
    },
  );
  return y;
}

/** The box that starts at `start` and has the extents `size`. */
export function slice<D extends DType = Float>(
  x: Tensor<D>,
  start: readonly number[],
  size: Shape,
): Tensor<D> {
  const {
    y,
  }: Record<"y", Tensor<D>> = record(
    sliceKernel,
    { x },
    { start, size },
    {
      x: ({ y: g }) =>
        pad(
          g,
          start,
          x.shape.map((extent, axis) => extent - start[axis]! - size[axis]!),
        ),
    },
  );
  return y;
}

/** Adds `before` and `after` elements of `value` (default 0) to each axis. */
export function pad<D extends DType = Float>(
  x: Tensor<D>,
  before: readonly number[],
  after: readonly number[],
  value = 0,
): Tensor<D> {
  const {
    y,
  }: Record<"y", Tensor<D>> = record(
    padKernel,
    { x },
    { before, after, value },
    { x: ({ y: g }) => slice(g, before, x.shape) },
  );
  return y;
}

/** Reorders the axes: axis k of the result is axis `order[k]` of `x`. */
export function permute<D extends DType = Float>(x: Tensor<D>, order: readonly number[]): Tensor<D> {
  const inverse = order.map((_, axis) => order.indexOf(axis));
  const {
    y,
  }: Record<"y", Tensor<D>> = record(
    permuteKernel,
    { x },
    { order },
    { x: ({ y: g }) => permute(g, inverse) },
  );
  return y;
}

/** Rows of x [R, …] by index [K] → [K, …]. An index outside 0 … R − 1 gives a row of zeros. */
export function gather<D extends DType = Float>(x: Tensor<D>, index: Tensor<"i32" | "u32">): Tensor<D> {
  const {
    y,
  }: Record<"y", Tensor<D>> = record(
    gatherKernel,
    { x, index },
    {},
    { x: ({ y: gradient }) => record(scatterAdd, { gradient, index }, { rows: x.shape[0]! }).xGradient },
  );
  return y;
}

/** The same elements in a buffer of their own. */
export function copy<D extends DType = Float>(x: Tensor<D>): Tensor<D> {
  const { y }: Record<"y", Tensor<D>> = record(copyKernel, { x }, {}, { x: ({ y: g }) => g });
  return y;
}
