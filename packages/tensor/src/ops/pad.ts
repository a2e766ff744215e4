/** Surrounding tensors: with a constant, or with what they hold themselves. */
import { type DType, type Float, ShapeError, show } from "@ddad/kernels-wgsl";
import { checkList } from "../arguments.ts";
import { checkOptions } from "../options.ts";
import type { AnyTensor, Tensor } from "../tensor.ts";
import { spread } from "./box.ts";
import { concat } from "./concat.ts";
import { flip } from "./flip.ts";
import { slice } from "./slice.ts";
import { broadcastTo } from "./sum.ts";

/** What `pad` puts around a tensor. */
export interface PadOptions {
  /**
   * `constant` (default): `value`. `reflect`: the tensor mirrored at its first and last elements, which are not repeated. `edge`:
   * its first and last elements. `wrap`: its other end.
   */
  readonly mode?: "constant" | "reflect" | "edge" | "wrap";
  /** The constant, any number that the type of the tensor holds, NaN and ±Infinity too. Default 0. */
  readonly value?: number | boolean;
}

/**
 * Adds `before` and `after` elements to each axis, negative ones cut: `pad(x, [1, 0], [0, 2])` adds a row above and two columns
 * at the right. `surround` is a constant (default 0) or says what is added.
 *
 * @throws ShapeError where an axis has no entry, more is cut than there is, a constant does not fit into the type, or nothing is
 * there to mirror or repeat
 */
export function pad<D extends DType = Float>(
  x: Tensor<D>,
  before: readonly number[],
  after: readonly number[],
  surround: number | boolean | PadOptions = 0,
): Tensor<D> {
  checkList("pad", "before", before);
  checkList("pad", "after", after);
  const { mode = "constant", value = 0 } =
    typeof surround === "object"
      ? checkOptions<PadOptions>("pad", surround, ["mode", "value"])
      : { value: surround };
  if (mode !== "constant" && !Object.hasOwn(extend, mode)) {
    throw new ShapeError(`pad: mode "${mode}" is none of constant, ${Object.keys(extend).join(", ")}.`);
  }
  checkCounts(x, before, after);
  const cropped = slice(
    x,
    before.map((count) => Math.max(0, -count)),
    x.shape.map((extent, axis) => extent + Math.min(0, after[axis]!)),
  );
  const [front, back] = [before, after].map((counts) => counts.map((count) => Math.max(0, count))) as [
    number[],
    number[],
  ];
  if (mode === "constant") {
    if ([...front, ...back].every((count) => count === 0)) return cropped;
    const side = x.shape.map(() => 1);
    return spread(cropped, front, back, Number(value), side);
  }
  return x.shape.reduce<Tensor<D>>((padded, _, axis) => {
    if (front[axis] === 0 && back[axis] === 0) return padded;
    if (padded.shape[axis] === 0) {
      throw new ShapeError(
        `pad: mode "${mode}" has nothing to add to axis ${axis} of ${show(padded.shape)}, which is empty.`,
      );
    }
    return extend[mode](padded, axis, front[axis]!, back[axis]!);
  }, cropped);
}

function checkCounts(x: AnyTensor, before: readonly number[], after: readonly number[]): void {
  const rank = x.shape.length;
  if (before.length !== rank || after.length !== rank) {
    throw new ShapeError(
      `pad: before ${show(before)} and after ${show(after)} must have one number for each axis of x ${show(x.shape)}.`,
    );
  }
  if (![...before, ...after].every(Number.isInteger)) {
    throw new ShapeError(`pad: before ${show(before)} and after ${show(after)} must be whole numbers.`);
  }
  x.shape.forEach((extent, axis) => {
    const cut = Math.max(0, -before[axis]!) + Math.max(0, -after[axis]!);
    if (cut > extent)
      throw new ShapeError(`pad: ${cut} elements cannot be cut from axis ${axis} of x ${show(x.shape)}.`);
  });
}

type Extend = <D extends DType>(x: Tensor<D>, axis: number, before: number, after: number) => Tensor<D>;

/** The elements from `start` to `end` of one axis. */
const range = <D extends DType>(x: Tensor<D>, axis: number, start: number, end: number): Tensor<D> =>
  slice(
    x,
    x.shape.map((_, other) => (other === axis ? start : 0)),
    x.shape.map((extent, other) => (other === axis ? end : extent)),
  );

const join = <D extends DType>(axis: number, parts: readonly Tensor<D>[]): Tensor<D> =>
  concat(
    parts.filter(({ shape }) => shape[axis]! > 0),
    axis,
  );

/** `count` elements of one axis, from `start` on, of a tensor that is repeated there without end. */
function endless<D extends DType>(x: Tensor<D>, axis: number, start: number, count: number): Tensor<D> {
  const extent = x.shape[axis]!;
  const parts: Tensor<D>[] = [];
  let at = ((start % extent) + extent) % extent;
  for (let left = count; left > 0; at = 0) {
    const size = Math.min(left, extent - at);
    parts.push(range(x, axis, at, at + size));
    left -= size;
  }
  return join(axis, parts);
}

/** How one axis that has elements grows. */
const extend: Readonly<Record<"reflect" | "edge" | "wrap", Extend>> = {
  edge(x, axis, before, after) {
    const last = x.shape[axis]! - 1;
    const repeated = (at: number, count: number): typeof x =>
      broadcastTo(range(x, axis, at, at + 1), x.shape.with(axis, count));
    return join(axis, [repeated(0, before), x, repeated(last, after)]);
  },
  reflect(x, axis, before, after) {
    const last = x.shape[axis]! - 1;
    if (last === 0) return extend.edge(x, axis, before, after); // nothing to mirror but the element itself
    if (Math.max(before, after) <= last) {
      const head = flip(range(x, axis, 1, before + 1), axis);
      const tail = flip(range(x, axis, last - after, last), axis);
      return join(axis, [head, x, tail]);
    }
    const cycle = join(axis, [x, flip(range(x, axis, 1, last), axis)]);
    return endless(cycle, axis, -before, before + last + 1 + after);
  },
  wrap: (x, axis, before, after) => endless(x, axis, -before, before + x.shape[axis]! + after),
};
