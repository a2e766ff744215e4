import { ShapeError } from "@ddad/kernels-wgsl";
import { checkFloats } from "../arguments.ts";
import { checkOptions } from "../options.ts";
import type { Tensor } from "../tensor.ts";
import { normaliseAxes } from "./axes.ts";
import { abs, cast, equal, notEqual, pow, square, where } from "./elementwise.ts";
import { max, min } from "./max.ts";
import { safeRoot } from "./safeRoot.ts";
import { type ReduceOptions, sum } from "./sum.ts";

/** Options of `norm`. */
export interface NormOptions extends ReduceOptions {
  /** The order: any number, Infinity (largest |x|) and −Infinity (smallest) included; 0 counts what is not zero. Default 2. */
  readonly p?: number;
}

/**
 * Norm over `axes` (default all): (Σ |x|ᵖ)^(1/p), of x's type; f16 is computed in f32. Its gradient is 0 where the norm is 0, and
 * where an element is 0.
 *
 * @throws ShapeError where x is no float, or p is NaN
 */
export function norm(x: Tensor, axes?: number | readonly number[], options: NormOptions = {}): Tensor {
  const { p = 2, keepDims = false } = checkOptions("norm", options, ["p", "keepDims"]);
  checkFloats("norm", "x", x);
  if (Number.isNaN(p)) throw new ShapeError("norm: p must be a number but is NaN.");
  return cast(wideNorm(cast(x, "f32"), normaliseAxes("norm", x, axes), p, { keepDims }), x.dtype);
}

function wideNorm(x: Tensor, axes: readonly number[], p: number, options: ReduceOptions): Tensor {
  if (p === 2) return safeRoot(sum(square(x), axes, options));
  if (p === 1) return sum(abs(x), axes, options);
  if (p === 0) return sum(cast(notEqual(x, 0), "f32"), axes, options);
  if (!Number.isFinite(p)) return (p > 0 ? max : min)(abs(x), axes, options);
  return safePower(sum(safePower(abs(x), p), axes, options), 1 / p);
}

/** xᵖ of x ≥ 0, whose gradient at 0 is 0. For a negative p it is infinite at 0. */
function safePower(x: Tensor, p: number): Tensor {
  const zero = equal(x, 0);
  return where(zero, p > 0 ? 0 : Number.POSITIVE_INFINITY, pow(where(zero, 1, x), p));
}
