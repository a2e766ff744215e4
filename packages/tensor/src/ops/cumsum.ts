import { type DType, type Float, cumsum as kernel } from "@ddad/kernels-wgsl";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { normaliseAxis } from "./axes.ts";
import { cast } from "./elementwise.ts";
import type { Summed } from "./sum.ts";

/** Options of `cumsum` and `cumprod`. */
export interface CumulativeOptions {
  /** From the end towards the start. Default false. */
  readonly reverse?: boolean;
  /** An element's own value does not count for it. Default false. */
  readonly exclusive?: boolean;
}

/**
 * Running sum along `axis` (default the last): element i of the result, which has x's shape and type (i32 for bool), is x₀ + … + xᵢ.
 *
 * @throws ShapeError where x has no such axis
 */
export function cumsum<D extends DType = Float>(
  x: Tensor<D>,
  axis = -1,
  options: CumulativeOptions = {},
): Tensor<Summed<D>> {
  const { reverse = false, exclusive = false } = checkOptions("cumsum", options, ["reverse", "exclusive"]);
  const along = normaliseAxis("cumsum", x, axis);
  const values = x.dtype === "bool" ? cast(x, "i32") : x;
  const {
    y,
  }: Record<"y", Tensor<Summed<D>>> = record(
    kernel,
    { x: values },
    { axis: along, reverse, exclusive },
    { x: ({ y: gradient }) => cumsum(gradient, along, { reverse: !reverse, exclusive }) },
  );
  return y;
}
