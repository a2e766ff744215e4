/** Activations that are made of elementwise operations, under PyTorch's names. They fuse like these, and so do their gradients. */
import { type DType, type Float, ShapeError } from "@ddad/kernels-wgsl";
import { checkFloats } from "../arguments.ts";
import type { Tensor } from "../tensor.ts";
import {
  abs,
  add,
  div,
  expm1,
  greater,
  less,
  lessEqual,
  maximum,
  minimum,
  mul,
  relu,
  softplus,
  sub,
  tanh,
  where,
} from "./elementwise.ts";

/**
 * x where it is in min … max, else the nearer bound; a bound left out does not bound. The gradient is 1 on the bounds and between, else
 * 0. Throws ShapeError where there is no bound.
 */
export function clamp<D extends DType = Float>(x: Tensor<D>, min?: number, max?: number): Tensor<D> {
  if (min === undefined && max === undefined) throw new ShapeError("clamp: needs min, max or both.");
  const raised = min === undefined ? x : maximum(x, min);
  return max === undefined ? raised : minimum(raised, max);
}

/** Throws ShapeError where `x` is no float: what follows divides, or multiplies by fractions. */
function floats<D extends DType>(op: string, x: Tensor<D>): Tensor<D> {
  checkFloats(op, "x", x);
  return x;
}

/** x above 0, else slope · x (Maas et al. 2013). */
export const leakyRelu = <D extends DType = Float>(x: Tensor<D>, slope = 0.01): Tensor<D> =>
  where(greater(floats("leakyRelu", x), 0), x, mul(x, slope));

/** x, and weight · x where x ≤ 0. The weight is a tensor of one element or of one a channel [C]; any that broadcasts fits. */
export const prelu = (x: Tensor, weight: Tensor): Tensor => where(greater(x, 0), x, mul(x, weight));

/** x above 0, else α (eˣ − 1) (Clevert et al. 2016). */
export const elu = <D extends DType = Float>(x: Tensor<D>, alpha = 1): Tensor<D> =>
  where(greater(floats("elu", x), 0), x, mul(expm1(minimum(x, 0)), alpha));

/** elu with α = 1.6733 times 1.0507, which keep mean 0 and variance 1 (Klambauer et al. 2017). */
export const selu = <D extends DType = Float>(x: Tensor<D>): Tensor<D> =>
  mul(elu(floats("selu", x), 1.6732632423543772), 1.0507009873554805);

/** x above 0, else α (eˣᐟᵅ − 1): differentiable everywhere (Barron 2017). */
export const celu = <D extends DType = Float>(x: Tensor<D>, alpha = 1): Tensor<D> =>
  where(greater(floats("celu", x), 0), x, mul(expm1(div(minimum(x, 0), alpha)), alpha));

/** (x + 3) / 6, clamped to 0 … 1. */
export const hardSigmoid = <D extends DType = Float>(x: Tensor<D>): Tensor<D> =>
  clamp(div(add(floats("hardSigmoid", x), 3), 6), 0, 1);

/** x · hardSigmoid(x) (Howard et al. 2019). */
export const hardSwish = <D extends DType = Float>(x: Tensor<D>): Tensor<D> =>
  mul(floats("hardSwish", x), hardSigmoid(x));

/** x clamped to min … max, −1 … 1 by default. */
export const hardTanh = <D extends DType = Float>(x: Tensor<D>, min = -1, max = 1): Tensor<D> =>
  clamp(x, min, max);

/** relu(x), at most 6. */
export const relu6 = <D extends DType = Float>(x: Tensor<D>): Tensor<D> => minimum(relu(x), 6);

/** x · tanh(softplus(x)) (Misra 2019). */
export const mish = <D extends DType = Float>(x: Tensor<D>): Tensor<D> =>
  mul(floats("mish", x), tanh(softplus(x)));

/** log(sigmoid(x)), precise also where sigmoid(x) is near 0. */
export const logSigmoid = (x: Tensor): Tensor => mul(softplus(mul(floats("logSigmoid", x), -1)), -1);

/** x / (1 + |x|). */
export const softsign = (x: Tensor): Tensor => div(floats("softsign", x), add(abs(x), 1));

/** x moved towards 0 by `lambda`, and 0 where |x| ≤ lambda. */
export const softshrink = (x: Tensor, lambda = 0.5): Tensor =>
  where(greater(x, lambda), sub(x, lambda), where(less(x, -lambda), add(x, lambda), mul(x, 0)));

/** x, and 0 where |x| ≤ lambda. */
export const hardshrink = (x: Tensor, lambda = 0.5): Tensor => where(lessEqual(abs(x), lambda), 0, x);

/** x, and `value` where x ≤ limit. `threshold(x, limit, 0)` is what ONNX calls ThresholdedRelu. */
export const threshold = (x: Tensor, limit: number, value: number): Tensor =>
  where(lessEqual(x, limit), value, x);
