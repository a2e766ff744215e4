/** Activations that are made of elementwise operations, under PyTorch's names. They fuse like these, and so do their gradients. */
import type { Tensor } from "../tensor.ts";
import { abs, add, div, greater, less, lessEqual, mul, sub, where } from "./elementwise.ts";

/** x / (1 + |x|). */
export const softsign = (x: Tensor): Tensor => div(x, add(abs(x), 1));

/** x moved towards 0 by `lambda`, and 0 where |x| ≤ lambda. */
export const softshrink = (x: Tensor, lambda = 0.5): Tensor =>
  where(greater(x, lambda), sub(x, lambda), where(less(x, -lambda), add(x, lambda), mul(x, 0)));

/** x, and 0 where |x| ≤ lambda. */
export const hardshrink = (x: Tensor, lambda = 0.5): Tensor => where(lessEqual(abs(x), lambda), 0, x);

/** x, and `value` where x ≤ limit. `threshold(x, limit, 0)` is what ONNX calls ThresholdedRelu. */
export const threshold = (x: Tensor, limit: number, value: number): Tensor =>
  where(lessEqual(x, limit), value, x);

/** x, and weight · x where x ≤ 0. The weight is a tensor of one element or of one a channel [C]; any that broadcasts fits. */
export const prelu = (x: Tensor, weight: Tensor): Tensor => where(greater(x, 0), x, mul(x, weight));
