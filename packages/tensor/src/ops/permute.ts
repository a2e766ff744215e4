import { type DType, type Float, permute as kernel, ShapeError, show } from "@ddad/kernels-wgsl";
import { checkList } from "../arguments.ts";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { normaliseAxis } from "./axes.ts";

/**
 * Reorders the axes: axis k of the result is axis `order[k]` of `x` (negative: from the end).
 *
 * @throws ShapeError unless `order` names every axis once
 */
export function permute<D extends DType = Float>(x: Tensor<D>, order: readonly number[]): Tensor<D> {
  checkList("permute", "order", order);
  const axes = order.map((axis) => normaliseAxis("permute", x, axis));
  if (axes.length !== x.shape.length || new Set(axes).size !== axes.length) {
    throw new ShapeError(
      `permute: order ${show(order)} must name each of the ${x.shape.length} axes of x ${show(x.shape)} once.`,
    );
  }
  if (axes.every((axis, position) => axis === position)) return x;
  const inverse = axes.map((_, axis) => axes.indexOf(axis));
  const out: Record<"y", Tensor<D>> = record(
    kernel,
    { x },
    { order: axes },
    { x: ({ y: g }) => permute(g, inverse) },
  );
  return out.y;
}

/** Swaps two axes, the last two by default (negative: from the end). */
export function transpose<D extends DType = Float>(x: Tensor<D>, a = -2, b = -1): Tensor<D> {
  const [first, second] = [a, b].map((axis) => normaliseAxis("transpose", x, axis)) as [number, number];
  const order = x.shape.map((_, axis) => (axis === first ? second : axis === second ? first : axis));
  return permute(x, order);
}
