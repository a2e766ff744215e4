/** Boxes of tensors, taken out and put back: each is the other's gradient, so they stand together. */
import {
  type DType,
  type Float,
  pad as padKernel,
  type Shape,
  sameShape,
  slice as sliceKernel,
} from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";

/** `size` elements of each axis from `start` on, `step` apart, all of them inside of `x`. */
export function take<D extends DType = Float>(
  x: Tensor<D>,
  start: readonly number[],
  size: Shape,
  step: readonly number[],
): Tensor<D> {
  if (sameShape(size, x.shape) && step.every((by, axis) => by > 0 || size[axis]! <= 1)) return x;
  const out: Record<"y", Tensor<D>> = record(
    sliceKernel,
    { x },
    { start, size, step },
    { x: ({ y: g }) => giveBack(g, start, step, x.shape) },
  );
  return out.y;
}

/** The gradient of `take`: the elements at their places again, zeros elsewhere. */
function giveBack(g: Tensor, start: readonly number[], step: readonly number[], shape: Shape): Tensor {
  const backwards = shape.map((_, axis) => axis).filter((axis) => step[axis]! < 0);
  const span = g.shape.map((count, axis) => (count - 1) * Math.abs(step[axis]!));
  const before = g.shape.map((count, axis) => {
    if (count === 0) return 0;
    return step[axis]! < 0 ? start[axis]! - span[axis]! : start[axis]!;
  });
  const after = g.shape.map((count, axis) =>
    count === 0 ? shape[axis]! : shape[axis]! - before[axis]! - span[axis]! - 1,
  );
  return spread(reverse(g, backwards), before, after, 0, step.map(Math.abs));
}

/** The same elements, read backwards along these axes. */
export function reverse<D extends DType = Float>(x: Tensor<D>, axes: readonly number[]): Tensor<D> {
  const backwards = x.shape.map((_, axis) => axes.includes(axis));
  return take(
    x,
    x.shape.map((extent, axis) => (backwards[axis] ? extent - 1 : 0)),
    x.shape,
    backwards.map((is) => (is ? -1 : 1)),
  );
}

/**
 * `x` with its elements `step` apart, `before` and `after` elements around them; what is added is
 * `value`. `take` reverses it.
 */
export function spread<D extends DType = Float>(
  x: Tensor<D>,
  before: readonly number[],
  after: readonly number[],
  value: number,
  step: readonly number[],
): Tensor<D> {
  const attrs = { before, after, value, step };
  const out: Record<"y", Tensor<D>> = record(padKernel, { x }, attrs, {
    x: ({ y: g }) => take(g, before, x.shape, step),
  });
  return out.y;
}
