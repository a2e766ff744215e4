import { max as maxKernel } from "@ddad/kernels-wgsl";
import { checkFloats } from "../arguments.ts";
import { checkOptions } from "../options.ts";
import { record, zeroGradient } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { dropAxes, normaliseAxes } from "./axes.ts";
import { add, cast, equal, exp, isFinite, log, sub, where } from "./elementwise.ts";
import { reshape } from "./reshape.ts";
import { type ReduceOptions, sum } from "./sum.ts";

/**
 * log Σ exp(x) over `axes` (default all), of x's type and without overflow; f16 is computed in f32. −∞ where all elements are −∞ or
 * where there are none, and then its gradient is 0.
 *
 * @throws ShapeError where x is no float
 */
export function logSumExp(x: Tensor, axes?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  const { keepDims = false } = checkOptions("logSumExp", options, ["keepDims"]);
  checkFloats("logSumExp", "x", x);
  const reduced = normaliseAxes("logSumExp", x, axes);
  const wide = cast(x, "f32");
  const y = cast(stable(wide, reduced), x.dtype);
  return keepDims ? y : reshape(y, dropAxes(x.shape, reduced));
}

function stable(x: Tensor, axes: readonly number[]): Tensor {
  if (x.size === 0) return log(sum(x, axes, { keepDims: true }));
  // What is taken off and added again has no influence on the result, so it is a constant for the gradient.
  const largest = record(maxKernel, { x }, { axes }, { x: zeroGradient }).y;
  const shift = where(isFinite(largest), largest, 0);
  const total = sum(exp(sub(x, shift)), axes, { keepDims: true });
  const none = equal(total, 0);
  return where(none, Number.NEGATIVE_INFINITY, add(log(where(none, 1, total)), shift));
}
