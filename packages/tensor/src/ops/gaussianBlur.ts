import { type GaussianBlurAttrs, gaussianBlurGradient, gaussianBlur as kernel } from "@ddad/kernels-wgsl";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";

/** Gaussian blur of x [N, H, W, C]; the border is reflected without repeating the edge. Both sides exceed taps / 2. */
export function gaussianBlur(x: Tensor, options: GaussianBlurAttrs): Tensor {
  checkOptions("gaussianBlur", options, ["sigma", "taps"], "{ sigma: 4, taps: 25 }");
  return record(kernel, { x }, options, { x: ({ y }) => blurBack(y, options) }).y;
}

/** The adjoint, of which the adjoint is the blur again. */
const blurBack = (gradient: Tensor, options: GaussianBlurAttrs): Tensor =>
  record(gaussianBlurGradient, { gradient }, options, {
    gradient: ({ xGradient }) => gaussianBlur(xGradient, options),
  }).xGradient;
