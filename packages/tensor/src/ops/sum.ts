/** Sum and broadcasting: each is the other's gradient, so they stand together. */
import {
  broadcast as broadcastKernel,
  type DType,
  type Float,
  type Shape,
  sameShape,
  sum as sumKernel,
} from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { dropAxes, normaliseAxes } from "./axes.ts";
import { reshape } from "./reshape.ts";

/** Options of `sum`, `mean`, `max` and `min`. */
export interface ReduceOptions {
  /** Keep reduced axes with extent 1. Default false. */
  readonly keepDims?: boolean;
}

/** Sum over `axes` (negative ones count from the end; default all). */
export function sum<D extends DType = Float>(
  x: Tensor<D>,
  axes?: number | readonly number[],
  { keepDims = false }: ReduceOptions = {},
): Tensor<D> {
  const reduced = normaliseAxes("sum", x.shape, axes);
  // The gradient stays small: whoever reads it broadcasts it.
  const { y }: Record<"y", Tensor<D>> = record(sumKernel, { x }, { axes: reduced }, { x: ({ y: g }) => g });
  return keepDims ? y : reshape(y, dropAxes(x.shape, reduced));
}

/** Repeats axes of extent 1 (and new leading axes) until the shape is `shape`, as NumPy does. */
export function broadcastTo<D extends DType = Float>(x: Tensor<D>, shape: Shape): Tensor<D> {
  if (sameShape(x.shape, shape)) return x;
  const lead = shape.length - x.shape.length;
  const repeated = shape
    .map((_, axis) => axis)
    .filter((axis) => axis < lead || x.shape[axis - lead] !== shape[axis]);
  const {
    y,
  }: Record<"y", Tensor<D>> = record(
    broadcastKernel,
    { x },
    { shape },
    { x: ({ y: g }) => reshape(sum(g, repeated, { keepDims: true }), x.shape) },
  );
  return y;
}
