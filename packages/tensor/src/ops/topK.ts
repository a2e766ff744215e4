import { type DType, type Float, ShapeError, show } from "@ddad/kernels-wgsl";
import { checkOptions } from "../options.ts";
import type { Tensor } from "../tensor.ts";
import { normaliseAxis } from "./axes.ts";
import { slice } from "./slice.ts";
import { type Sorted, sort } from "./sort.ts";

/** Options of `topK`. */
export interface TopKOptions {
  /** Default the last. */
  readonly axis?: number;
  /** The largest, not the smallest. Default true. */
  readonly largest?: boolean;
}

/**
 * The `k` largest elements along an axis, or the smallest, in their order, and where each was. Of equals the first comes first. NaN counts
 * as the largest. Gradients go through the values. Sorts the whole axis.
 *
 * @throws ShapeError where x has no such axis or fewer than k elements along it
 */
export function topK<D extends DType = Float>(x: Tensor<D>, k: number, options: TopKOptions = {}): Sorted<D> {
  const { axis = -1, largest = true } = checkOptions("topK", options, ["axis", "largest"]);
  const along = normaliseAxis("topK", x, axis);
  const extent = x.shape[along]!;
  if (!Number.isInteger(k) || k < 0 || k > extent) {
    throw new ShapeError(
      `topK: k must be a whole number from 0 to ${extent}, the extent of x ${show(x.shape)} along axis ${along}, but is ${k}.`,
    );
  }
  const { values, indices } = sort(x, { axis: along, descending: largest });
  const start = x.shape.map(() => 0);
  const end = x.shape.map((whole, position) => (position === along ? k : whole));
  return { values: slice(values, start, end), indices: slice(indices, start, end) };
}
