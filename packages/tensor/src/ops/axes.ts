/** Axes as users give them: negative ones count from the end. */
import { type Shape, ShapeError, show } from "@ddad/kernels-wgsl";
import { checkList, checkTensor } from "../arguments.ts";

/** Distinct axes of `x` in 0 … rank − 1, ascending; all of them where `axes` is undefined. */
export function normaliseAxes(
  op: string,
  x: { readonly shape: Shape },
  axes: number | readonly number[] | undefined,
): number[] {
  if (!Array.isArray(x?.shape)) checkTensor(op, "x", x);
  const { shape } = x;
  const rank = shape.length;
  if (axes === undefined) return shape.map((_, axis) => axis);
  const list = typeof axes === "number" ? [axes] : axes;
  checkList(op, "axes", list);
  const normal = list.map((axis) => {
    if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
      throw new ShapeError(`${op}: axis ${axis} is outside of ${show(shape)}, which has ${rank} axes.`);
    }
    return axis < 0 ? axis + rank : axis;
  });
  const twice = normal.find((axis, place) => normal.indexOf(axis) !== place);
  if (twice !== undefined)
    throw new ShapeError(`${op}: axis ${twice} is named twice in [${list.join(", ")}].`);
  return normal.sort((a, b) => a - b);
}

/** The shape without these axes. */
export const dropAxes = (shape: Shape, axes: readonly number[]): number[] =>
  shape.filter((_, axis) => !axes.includes(axis));

/** One axis of `x` in 0 … rank − 1. */
export const normaliseAxis = (op: string, x: { readonly shape: Shape }, axis: number): number =>
  normaliseAxes(op, x, axis)[0]!;
