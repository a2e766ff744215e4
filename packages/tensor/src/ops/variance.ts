import { checkFloats } from "../arguments.ts";
import { checkOptions } from "../options.ts";
import type { Tensor } from "../tensor.ts";
import { normaliseAxes } from "./axes.ts";
import { cast, mul, square, sub } from "./elementwise.ts";
import { mean } from "./mean.ts";
import { safeRoot } from "./safeRoot.ts";
import { type ReduceOptions, sum } from "./sum.ts";

/** Options of `variance` and `std`. */
export interface VarianceOptions extends ReduceOptions {
  /** Subtracted from the number of elements in the divisor: 1 (the default) for a sample, 0 for a population. */
  readonly correction?: number;
}

/** Variance in f32. */
function wideVariance(
  op: string,
  x: Tensor,
  axes: number | readonly number[] | undefined,
  options: VarianceOptions,
): Tensor {
  const { keepDims = false, correction = 1 } = checkOptions(op, options, ["keepDims", "correction"]);
  checkFloats(op, "x", x);
  const reduced = normaliseAxes(op, x, axes);
  const count = reduced.reduce((product, axis) => product * x.shape[axis]!, 1);
  const wide = cast(x, "f32");
  const squares = sum(square(sub(wide, mean(wide, reduced, { keepDims: true }))), reduced, { keepDims });
  return mul(squares, 1 / Math.max(0, count - correction));
}

/**
 * Variance over `axes` (default all), Σ (x − mean)² / (n − correction), of x's type; f16 is computed in f32. Where n is not above
 * the correction the divisor is 0, as in PyTorch: NaN for equal elements, else ∞. The method is called `var`.
 *
 * @throws ShapeError where x is no float
 */
export const variance = (
  x: Tensor,
  axes?: number | readonly number[],
  options: VarianceOptions = {},
): Tensor => cast(wideVariance("variance", x, axes, options), x.dtype);

/**
 * Standard deviation over `axes` (default all): the root of {@link variance}. Its gradient is 0 where all elements are equal.
 *
 * @throws ShapeError where x is no float
 */
export const std = (x: Tensor, axes?: number | readonly number[], options: VarianceOptions = {}): Tensor =>
  cast(safeRoot(wideVariance("std", x, axes, options)), x.dtype);
