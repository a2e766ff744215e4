/** Operations that only move elements: concat, slice, pad, permute, gather. */
import {
  concat as concatKernel,
  copy as copyKernel,
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
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  const [first, ...others] = tensors;
  if (!first) throw new ShapeError("concat: needs at least one tensor.");
  const [along] = normaliseAxes("concat", first.shape, axis) as [number];
  return others.reduce((a, b) => concatTwo(a, b, along), first);
}

function concatTwo(a: Tensor, b: Tensor, axis: number): Tensor {
  const start = (offset: number): number[] => a.shape.map((_, k) => (k === axis ? offset : 0));
  return record(
    concatKernel,
    { a, b },
    { axis },
    {
      a: ({ y: g }) => slice(g, start(0), a.shape),
      b: ({ y: g }) => slice(g, start(a.shape[axis]!), b.shape),
    },
  ).y;
}

/** The box that starts at `start` and has the extents `size`. */
export function slice(x: Tensor, start: readonly number[], size: Shape): Tensor {
  return record(
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
  ).y;
}

/** Adds `before` and `after` elements of `value` (default 0) to each axis. */
export function pad(x: Tensor, before: readonly number[], after: readonly number[], value = 0): Tensor {
  return record(padKernel, { x }, { before, after, value }, { x: ({ y: g }) => slice(g, before, x.shape) }).y;
}

/** Reorders the axes: axis k of the result is axis `order[k]` of `x`. */
export function permute(x: Tensor, order: readonly number[]): Tensor {
  const inverse = order.map((_, axis) => order.indexOf(axis));
  return record(permuteKernel, { x }, { order }, { x: ({ y: g }) => permute(g, inverse) }).y;
}

/** Rows of x [R, …] by index [K] → [K, …]. An index outside 0 … R − 1 gives a row of zeros. */
export function gather(x: Tensor, index: Tensor): Tensor {
  return record(
    gatherKernel,
    { x, index },
    {},
    { x: ({ y: gradient }) => record(scatterAdd, { gradient, index }, { rows: x.shape[0]! }).xGradient },
  ).y;
}

/** The same elements in a buffer of their own. */
export const copy = (x: Tensor): Tensor => record(copyKernel, { x }, {}, { x: ({ y: g }) => g }).y;
