import { ShapeError, sameShape, show } from "@ddad/kernels-wgsl";
import { checkFloats } from "../arguments.ts";
import { checkOptions } from "../options.ts";
import type { Tensor } from "../tensor.ts";
import { add, cast, mul, rsqrt, square } from "./elementwise.ts";
import { mean } from "./mean.ts";

/** Scale and ε of `rmsNorm`. */
export interface RmsNormOptions {
  /** [C]. Default: ones. */
  readonly weight?: Tensor | undefined;
  /** Added to the mean square. Default 1e-5. */
  readonly epsilon?: number;
}

/**
 * x / √(mean(x²) + ε) · weight along the last axis (Zhang and Sennrich 2019): x […, C] → the same shape and type, computed in f32.
 * Throws ShapeError where weight is not [C].
 */
export function rmsNorm(x: Tensor, options: RmsNormOptions = {}): Tensor {
  const { weight, epsilon = 1e-5 } = checkOptions("rmsNorm", options, ["weight", "epsilon"]);
  checkFloats("rmsNorm", "x", x);
  const channels = x.shape.slice(-1);
  if (!channels.length) throw new ShapeError("rmsNorm: x must be […, C] but is [].");
  if (weight && !sameShape(weight.shape, channels)) {
    throw new ShapeError(
      `rmsNorm: weight must be ${show(channels)}, one number per channel of x ${show(x.shape)}, but is ${show(weight.shape)}.`,
    );
  }
  const wide = cast(x, "f32");
  const normal = mul(wide, rsqrt(add(mean(square(wide), -1, { keepDims: true }), epsilon)));
  return cast(weight ? mul(normal, cast(weight, "f32")) : normal, x.dtype);
}
