import { type DType, type Float, ShapeError, show } from "@ddad/kernels-wgsl";
import { checkList } from "../arguments.ts";
import type { Tensor } from "../tensor.ts";
import { normaliseAxis } from "./axes.ts";
import { reshape } from "./reshape.ts";
import { broadcastTo } from "./sum.ts";

/**
 * The whole tensor, repeated `repeats[k]` times along axis k. As NumPy's tile: repeats count from the last axis, and more of
 * them than axes make new leading ones.
 *
 * @throws ShapeError for repeats that are no whole numbers of at least 0
 */
export function tile<D extends DType = Float>(x: Tensor<D>, repeats: readonly number[]): Tensor<D> {
  checkList("tile", "repeats", repeats);
  checkCounts("tile", "repeats", repeats);
  const rank = Math.max(repeats.length, x.shape.length);
  const counts = [...new Array<number>(rank - repeats.length).fill(1), ...repeats];
  const shape = [...new Array<number>(rank - x.shape.length).fill(1), ...x.shape];
  const apart = reshape(
    x,
    shape.flatMap((extent) => [1, extent]),
  );
  const repeated = broadcastTo(
    apart,
    shape.flatMap((extent, axis) => [counts[axis]!, extent]),
  );
  return reshape(
    repeated,
    shape.map((extent, axis) => extent * counts[axis]!),
  );
}

/**
 * Each element `count` times along `axis` (negative: from the end), one behind the other: PyTorch's repeat_interleave, NumPy's
 * repeat.
 *
 * @throws ShapeError for a count that is no whole number of at least 0
 */
export function repeat<D extends DType = Float>(x: Tensor<D>, count: number, axis: number): Tensor<D> {
  checkCounts("repeat", "count", [count]);
  const along = normaliseAxis("repeat", x, axis);
  const [front, back] = [x.shape.slice(0, along + 1), x.shape.slice(along + 1)];
  const repeated = broadcastTo(reshape(x, [...front, 1, ...back]), [...front, count, ...back]);
  return reshape(repeated, x.shape.with(along, x.shape[along]! * count));
}

function checkCounts(op: string, name: string, counts: readonly number[]): void {
  if (counts.every((count) => Number.isInteger(count) && count >= 0)) return;
  throw new ShapeError(`${op}: ${name} ${show(counts)} must be whole numbers of at least 0.`);
}
