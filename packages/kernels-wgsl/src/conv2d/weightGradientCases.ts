/** Cases and refusals of `conv2dWeightGradient`. */
import type { Case, Refusal } from "../kernel.ts";
import type { Conv2dWeightGradientAttrs } from "./conv2dWeightGradient.ts";
import { groupedCases } from "./groupedCases.ts";
import { type LargeConvolution, largeCases } from "./largeCases.ts";
import { sidedCases } from "./sidedCases.ts";

const backward = ({ x, y, weight, attrs }: LargeConvolution) => ({
  inputs: { x, gradient: y },
  attrs: { ...attrs, kernelSize: [weight.shape[0]!, weight.shape[1]!] as const },
});

export const weightGradientCases: readonly Case<"x" | "gradient", Conv2dWeightGradientAttrs>[] = [
  {
    name: "one element",
    inputs: { x: [1, 1, 1, 1], gradient: [1, 1, 1, 1] },
    attrs: { stride: 1, padding: [0, 0, 0, 0], kernelSize: [1, 1] },
  },
  {
    name: "3×3, prime sizes",
    inputs: { x: [2, 7, 11, 5], gradient: [2, 7, 11, 13] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
  },
  {
    name: "rectangular kernel, uneven padding",
    inputs: { x: [1, 9, 6, 3], gradient: [1, 10, 6, 7] },
    attrs: { stride: 1, padding: [0, 3, 2, 1], kernelSize: [2, 5] },
  },
  {
    name: "3×3, stride 2",
    inputs: { x: [2, 13, 10, 6], gradient: [2, 7, 5, 10] },
    attrs: { stride: 2, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
  },
  {
    name: "7×7, stride 2, 3 channels",
    inputs: { x: [1, 33, 31, 3], gradient: [1, 17, 16, 16] },
    attrs: { stride: 2, padding: [3, 3, 3, 3], kernelSize: [7, 7] },
  },
  {
    name: "2×2, stride 3: pixels without a tap",
    inputs: { x: [1, 11, 12, 4], gradient: [1, 4, 4, 8] },
    attrs: { stride: 3, padding: [0, 0, 0, 0], kernelSize: [2, 2] },
  },
  {
    name: "1×1",
    inputs: { x: [2, 9, 7, 17], gradient: [2, 9, 7, 9] },
    attrs: { stride: 1, padding: [0, 0, 0, 0], kernelSize: [1, 1] },
  },
  {
    name: "residual block",
    inputs: { x: [2, 32, 32, 64], gradient: [2, 32, 32, 64] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
    bench: true,
  },
  {
    name: "tile borders",
    inputs: { x: [1, 17, 37, 20], gradient: [1, 17, 37, 36] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
  },
  {
    name: "f16",
    inputs: { x: { shape: [1, 9, 7, 8], dtype: "f16" }, gradient: { shape: [1, 9, 7, 12], dtype: "f16" } },
    attrs: { stride: 1, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
  },
  {
    name: "into the network",
    inputs: { x: [1, 64, 64, 3], gradient: [1, 64, 64, 32] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
    bench: true,
  },
  ...sidedCases(backward),
  ...groupedCases(backward),
  ...largeCases(backward),
];

export const weightGradientRefusals: readonly Refusal<"x" | "gradient", Conv2dWeightGradientAttrs>[] = [
  {
    inputs: { x: [1, 8, 8, 3], gradient: [1, 7, 8, 8] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
    message: /conv2dWeightGradient: gradient must be \[1, 8, 8, 8\] .* but is \[1, 7, 8, 8\]/,
  },
  {
    inputs: { x: [8, 8, 3], gradient: [1, 8, 8, 8] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
    message: /conv2dWeightGradient: x must have 4 axes/,
  },
  {
    inputs: { x: [1, 8, 8, 3], gradient: { shape: [1, 8, 8, 8], dtype: "i32" } },
    attrs: { stride: 1, padding: [1, 1, 1, 1], kernelSize: [3, 3] },
    message: /conv2dWeightGradient: gradient must be f32 or f16/,
  },
];
