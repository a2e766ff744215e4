import { type DType, type Float, ShapeError, show } from "@ddad/kernels-wgsl";
import { checkList } from "../arguments.ts";
import type { Tensor } from "../tensor.ts";
import { take } from "./box.ts";

/** One number for each axis, from the first on; an axis that is left out or undefined takes the default. */
export type PerAxis = readonly (number | undefined)[];

/**
 * A part of each axis, as Array.slice and Python take it: from `start` up to, not including, `end`, every `step`-th element.
 * Negative positions count from the end, those outside are clamped, and axes that are not mentioned are whole. A negative
 * step reads backwards: `slice(x, [undefined], [undefined], [-1])` is the first axis reversed.
 *
 * @throws ShapeError for more numbers than axes, fractions, and a step of 0
 */
export function slice<D extends DType = Float>(
  x: Tensor<D>,
  start: PerAxis,
  end: PerAxis = [],
  step: PerAxis = [],
): Tensor<D> {
  for (const [name, list] of Object.entries({ start, end, step })) {
    checkList("slice", name, list as readonly number[]);
    if (list.length > x.shape.length) {
      throw new ShapeError(
        `slice: ${name} [${list.join(", ")}] has ${list.length} numbers but x ${show(x.shape)} has ${x.shape.length} axes.`,
      );
    }
  }
  const ranges = x.shape.map((extent, axis) =>
    resolveRange("slice", extent, [start[axis], end[axis], step[axis]]),
  );
  return take(
    x,
    ranges.map(({ first }) => first),
    ranges.map(({ count }) => count),
    ranges.map(({ by }) => by),
  );
}

/** The elements that a range takes of an axis: `count` of them from `first` on, `by` apart. */
export function resolveRange(
  op: string,
  extent: number,
  [start, end, step]: PerAxis,
): { first: number; count: number; by: number } {
  const by = step ?? 1;
  if (by === 0 || [start ?? 0, end ?? 0, by].some((value) => !Number.isInteger(value))) {
    throw new ShapeError(
      `${op}: start ${start}, end ${end} and step ${by} must be whole numbers, and the step not 0.`,
    );
  }
  const [least, most] = by > 0 ? [0, extent] : [-1, extent - 1];
  const place = (position: number): number =>
    Math.min(most, Math.max(least, position < 0 ? position + extent : position));
  const first = start === undefined ? (by > 0 ? 0 : extent - 1) : place(start);
  const last = end === undefined ? (by > 0 ? extent : -1) : place(end);
  return { first, count: Math.max(0, Math.ceil((last - first) / by)), by };
}
