/** Sorting along an axis, and the places of what is sorted. */
import { type DType, type Float, sort as sortKernel, takeAlong as takeAlongKernel } from "@ddad/kernels-wgsl";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { AnyTensor, Tensor } from "../tensor.ts";
import { normaliseAxis } from "./axes.ts";

/** Options of `sort` and `argsort`. */
export interface SortOptions {
  /** Default the last. */
  readonly axis?: number;
  /** The largest first. Default false. */
  readonly descending?: boolean;
}

const sortOptions = ["axis", "descending"] as const;

/** Elements in order, and where each was along the axis. */
export interface Sorted<D extends DType = Float> {
  /** The elements in their order. */
  readonly values: Tensor<D>;
  /** Where they stood along the axis, from 0. */
  readonly indices: Tensor<"i32">;
}

/**
 * The elements along an axis in rising order, or falling, and where each was. Stable: equals stay in their order. NaN counts as the
 * largest. Gradients go through the values, to where each was.
 *
 * @throws ShapeError where x has no such axis
 */
export function sort<D extends DType = Float>(x: Tensor<D>, options: SortOptions = {}): Sorted<D> {
  const { axis = -1, descending = false } = checkOptions("sort", options, sortOptions);
  const along = normaliseAxis("sort", x, axis);
  const out: Record<"values" | "indices", AnyTensor> = record(
    sortKernel,
    { x },
    { axis: along, descending },
    {
      x({ values: gradient }) {
        const places = out.indices as Tensor<"i32">;
        return rearrange(gradient, argsort(places, { axis: along }), places, along);
      },
    },
  );
  return { values: out.values as Tensor<D>, indices: out.indices as Tensor<"i32"> };
}

/** The elements of each line at `places`, which name each of them once; its gradient takes them from the `inverse` places. */
function rearrange(x: Tensor, places: Tensor<"i32">, inverse: Tensor<"i32">, axis: number): Tensor {
  return record(
    takeAlongKernel,
    { x, index: places },
    { axis, last: false },
    { x: ({ y: g }) => rearrange(g, inverse, places, axis) },
  ).y;
}

/**
 * Where the elements along an axis are in rising order, or falling, as i32. Stable: of equals the first comes first.
 *
 * @throws ShapeError where x has no such axis
 */
export const argsort = <D extends DType = Float>(x: Tensor<D>, options: SortOptions = {}): Tensor<"i32"> =>
  sort(x, checkOptions("argsort", options, sortOptions)).indices;
