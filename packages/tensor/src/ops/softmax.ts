import {
  softmaxGradient as gradientKernel,
  softmax as kernel,
  logSoftmax as logKernel,
} from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { normaliseAxis } from "./axes.ts";
import { cast, exp, mul, sub } from "./elementwise.ts";
import { sum } from "./sum.ts";

/**
 * exp(x) / Σ exp(x) along `axis` (default the last), of x's type. NaN where all elements are −∞, and where one is ∞ or NaN.
 *
 * @throws ShapeError where x is no float or has no such axis
 */
export function softmax(x: Tensor, axis = -1): Tensor {
  const along = normaliseAxis("softmax", x, axis);
  const out: Record<"y", Tensor> = record(
    kernel,
    { x },
    { axis: along },
    { x: ({ y: gradient }) => softmaxGradient(out.y, gradient, along) },
  );
  return out.y;
}

/** y (g − Σ y g) by one kernel; its own derivatives are those of this composition. */
const softmaxGradient = (y: Tensor, gradient: Tensor, axis: number): Tensor =>
  record(gradientKernel, { y, gradient }, { axis }, ({ y, gradient }) => ({
    xGradient: mul(y, sub(gradient, sum(mul(y, gradient), axis, { keepDims: true }))),
  })).xGradient;

/**
 * x − log Σ exp(x) along `axis` (default the last), of x's type: the logarithm of {@link softmax}, exact where that is close to zero.
 * NaN where all elements are −∞, and where one is ∞ or NaN.
 *
 * @throws ShapeError where x is no float or has no such axis
 */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  const along = normaliseAxis("logSoftmax", x, axis);
  const out: Record<"y", Tensor> = record(
    logKernel,
    { x },
    { axis: along },
    {
      x({ y: gradient }) {
        const [g, y] = [cast(gradient, "f32"), cast(out.y, "f32")];
        return sub(g, mul(exp(y), sum(g, along, { keepDims: true })));
      },
    },
  );
  return out.y;
}
