import { checkFloats } from "../arguments.ts";
import { checkOptions } from "../options.ts";
import type { Tensor } from "../tensor.ts";
import { normaliseAxes } from "./axes.ts";
import { cast, mul } from "./elementwise.ts";
import { type ReduceOptions, sum } from "./sum.ts";

/**
 * Mean over `axes` (negative ones count from the end; default all), of x's type; f16 is summed and divided in f32. The mean of no
 * elements is NaN.
 *
 * @throws ShapeError where x is no float
 */
export function mean(x: Tensor, axes?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  checkOptions("mean", options, ["keepDims"]);
  checkFloats("mean", "x", x);
  const reduced = normaliseAxes("mean", x, axes);
  const count = reduced.reduce((product, axis) => product * x.shape[axis]!, 1);
  const total = sum(x, reduced, { ...options, dtype: "f32" });
  return cast(mul(total, count ? 1 / count : Number.NaN), x.dtype);
}
