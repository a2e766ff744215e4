/** The same elements under another shape, without a copy. */
import { type DType, type Float, type Shape, ShapeError, sameShape, show, sizeOf } from "@ddad/kernels-wgsl";
import { checkList, checkTensor } from "../arguments.ts";
import { recordView } from "../record.ts";
import type { AnyTensor, Tensor } from "../tensor.ts";
import { normaliseAxes, normaliseAxis } from "./axes.ts";

/**
 * The same elements under another shape, without a copy. One extent may be −1 and follows from the others.
 *
 * @throws ShapeError where the number of elements does not fit
 */
export function reshape<D extends DType = Float>(x: Tensor<D>, shape: Shape): Tensor<D> {
  const target = infer(x, shape);
  if (sameShape(target, x.shape)) return x;
  return recordView("reshape", x, target, { x: ({ y: g }) => reshape(g!, x.shape) });
}

function infer(x: AnyTensor, shape: Shape): Shape {
  checkList("reshape", "the shape", shape);
  if (!shape.every((extent) => Number.isInteger(extent) && extent >= -1)) {
    throw new ShapeError(
      `reshape: extents ${show(shape)} must be whole numbers of at least 0; one may be −1.`,
    );
  }
  const unknown = shape.indexOf(-1);
  if (unknown < 0) return shape;
  const known = sizeOf(shape.filter((_, axis) => axis !== unknown));
  if (known === 0) {
    throw new ShapeError(
      `reshape: −1 cannot be inferred in ${show(shape)}, which has no elements; write it out.`,
    );
  }
  if (x.size % known || shape.lastIndexOf(-1) !== unknown) {
    throw new ShapeError(
      `reshape: ${show(x.shape)} does not fit ${show(shape)}; one extent may be −1 and is inferred.`,
    );
  }
  return shape.map((extent, axis) => (axis === unknown ? x.size / known : extent));
}

/** Merges the axes from `startAxis` to `endAxis` (both included, negative ones from the end) into one; a scalar becomes [1]. */
export function flatten<D extends DType = Float>(x: Tensor<D>, startAxis = 0, endAxis = -1): Tensor<D> {
  checkTensor("flatten", "x", x);
  if (x.shape.length === 0) return reshape(x, [1]);
  const [start, end] = [startAxis, endAxis].map((axis) => normaliseAxis("flatten", x, axis)) as [
    number,
    number,
  ];
  if (start > end) {
    throw new ShapeError(`flatten: axis ${startAxis} of ${show(x.shape)} lies behind axis ${endAxis}.`);
  }
  const merged = sizeOf(x.shape.slice(start, end + 1));
  return reshape(x, [...x.shape.slice(0, start), merged, ...x.shape.slice(end + 1)]);
}

/**
 * Removes axes of extent 1: those named (negative: from the end), or all.
 *
 * @throws ShapeError where an axis that is named has another extent
 */
export function squeeze<D extends DType = Float>(x: Tensor<D>, axes?: number | readonly number[]): Tensor<D> {
  checkTensor("squeeze", "x", x);
  if (axes === undefined)
    return reshape(
      x,
      x.shape.filter((extent) => extent !== 1),
    );
  const removed = normaliseAxes("squeeze", x, axes);
  const wide = removed.find((axis) => x.shape[axis] !== 1);
  if (wide !== undefined) {
    throw new ShapeError(
      `squeeze: axis ${wide} of ${show(x.shape)} has ${x.shape[wide]} elements, not one; use reshape or slice.`,
    );
  }
  return reshape(
    x,
    x.shape.filter((_, axis) => !removed.includes(axis)),
  );
}

/** Adds axes of extent 1, at these positions of the result (negative: from its end). */
export function unsqueeze<D extends DType = Float>(
  x: Tensor<D>,
  axes: number | readonly number[],
): Tensor<D> {
  const list = typeof axes === "number" ? [axes] : axes;
  checkList("unsqueeze", "axes", list);
  const room = [...x.shape, ...list.map(() => 1)];
  const added = normaliseAxes("unsqueeze", { shape: room }, list);
  if (added.length !== list.length)
    throw new ShapeError(`unsqueeze: axes [${list.join(", ")}] name one position twice.`);
  let next = 0;
  return reshape(
    x,
    room.map((_, axis) => (added.includes(axis) ? 1 : x.shape[next++]!)),
  );
}
