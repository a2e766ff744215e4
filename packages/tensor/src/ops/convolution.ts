/**
 * A convolution and its two gradients as operations. Each is linear in both of its operands, and the derivative towards one of them
 * is another of the three: together they have derivatives of any order.
 */
import {
  type Conv2dAttrs,
  conv2dInputGradient,
  conv2dWeightGradient,
  conv2d as kernel,
} from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { sum } from "./sum.ts";

type Size = readonly [height: number, width: number];

const sizeOf = ({ shape }: Tensor): Size => [shape[1]!, shape[2]!];
const kernelSizeOf = ({ shape }: Tensor): Size => [shape[0]!, shape[1]!];

/** x [N, H, W, Cin] * weight [KH, KW, Cin / groups, Cout] + bias [Cout] → [N, OH, OW, Cout]. */
export const convolve = (x: Tensor, weight: Tensor, attrs: Conv2dAttrs, bias?: Tensor): Tensor =>
  record(kernel, { x, weight, bias }, attrs, {
    x: ({ y }) => convolveBack(y, weight, attrs, sizeOf(x)),
    weight: ({ y }) => convolveWeight(x, y, attrs, kernelSizeOf(weight)),
    bias: ({ y }) => sum(y, [0, 1, 2], { dtype: "f32" }),
  }).y;

/** The adjoint in x: gradient [N, OH, OW, Cout] and weight [KH, KW, Cin / groups, Cout] → [N, inputSize, Cin]. */
export const convolveBack = (gradient: Tensor, weight: Tensor, attrs: Conv2dAttrs, inputSize: Size): Tensor =>
  record(
    conv2dInputGradient,
    { gradient, weight },
    { ...attrs, inputSize },
    {
      gradient: ({ xGradient }) => convolve(xGradient, weight, attrs),
      weight: ({ xGradient }) => convolveWeight(xGradient, gradient, attrs, kernelSizeOf(weight)),
    },
  ).xGradient;

/** The adjoint in weight: x [N, H, W, Cin] and gradient [N, OH, OW, Cout] → f32 [kernelSize, Cin / groups, Cout]. */
export const convolveWeight = (x: Tensor, gradient: Tensor, attrs: Conv2dAttrs, kernelSize: Size): Tensor =>
  record(
    conv2dWeightGradient,
    { x, gradient },
    { ...attrs, kernelSize },
    {
      x: ({ weightGradient }) => convolveBack(gradient, weightGradient, attrs, sizeOf(x)),
      gradient: ({ weightGradient }) => convolve(x, weightGradient, attrs),
    },
  ).weightGradient;
