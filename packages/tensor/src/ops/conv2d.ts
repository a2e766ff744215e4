import { conv2dInputGradient, conv2dWeightGradient, conv2d as kernel } from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { sum } from "./sum.ts";

/** Options of `conv2d`. */
export interface Conv2dOptions {
  /** [Cout]. */
  readonly bias?: Tensor | undefined;
  /** Default 1. */
  readonly stride?: number;
  /** Zeros around the image: all sides alike, or [top, left, bottom, right]. Default 0. */
  readonly padding?: number | readonly [top: number, left: number, bottom: number, right: number];
}

/** Convolution (cross-correlation) of x [N, H, W, Cin] with weight [KH, KW, Cin, Cout] → [N, OH, OW, Cout]. */
export function conv2d(
  x: Tensor,
  weight: Tensor,
  { bias, stride = 1, padding = 0 }: Conv2dOptions = {},
): Tensor {
  const sides = typeof padding === "number" ? ([padding, padding, padding, padding] as const) : padding;
  const attrs = { stride, padding: sides };
  return record(kernel, { x, weight, bias }, attrs, {
    x: ({ y: gradient }) =>
      record(conv2dInputGradient, { gradient, weight }, { ...attrs, inputSize: [x.shape[1]!, x.shape[2]!] })
        .xGradient,
    weight: ({ y: gradient }) =>
      record(
        conv2dWeightGradient,
        { x, gradient },
        { ...attrs, kernelSize: [weight.shape[0]!, weight.shape[1]!] },
      ).weightGradient,
    bias: ({ y: gradient }) => sum(gradient, [0, 1, 2]),
  }).y;
}
