/** Cases and refusals of `conv2dInputGradient`. */
import type { Case, Refusal } from "../kernel.ts";
import type { Conv2dInputGradientAttrs } from "./conv2dInputGradient.ts";
import { groupedCases } from "./groupedCases.ts";
import { type LargeConvolution, largeCases } from "./largeCases.ts";
import { sidedCases } from "./sidedCases.ts";
import { winogradCases } from "./winogradCases.ts";

const backward = ({ x, y, weight, attrs }: LargeConvolution) => ({
  inputs: { gradient: y, weight },
  attrs: { ...attrs, inputSize: [x.shape[1]!, x.shape[2]!] as const },
});

export const inputGradientCases: readonly Case<"gradient" | "weight", Conv2dInputGradientAttrs>[] = [
  {
    name: "one element",
    inputs: { gradient: [1, 1, 1, 1], weight: [1, 1, 1, 1] },
    attrs: { stride: 1, padding: [0, 0, 0, 0], inputSize: [1, 1] },
  },
  {
    name: "3×3, prime sizes",
    inputs: { gradient: [2, 7, 11, 13], weight: [3, 3, 5, 13] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], inputSize: [7, 11] },
  },
  {
    name: "rectangular kernel, uneven padding",
    inputs: { gradient: [1, 10, 6, 7], weight: [2, 5, 3, 7] },
    attrs: { stride: 1, padding: [0, 3, 2, 1], inputSize: [9, 6] },
  },
  {
    name: "3×3, stride 2",
    inputs: { gradient: [2, 7, 5, 10], weight: [3, 3, 6, 10] },
    attrs: { stride: 2, padding: [1, 1, 1, 1], inputSize: [13, 10] },
  },
  {
    name: "3×3, stride 2, last row and column unused",
    inputs: { gradient: [1, 3, 4, 4], weight: [3, 3, 4, 4] },
    attrs: { stride: 2, padding: [0, 0, 0, 0], inputSize: [8, 10] },
  },
  {
    name: "7×7, stride 2, 3 channels",
    inputs: { gradient: [1, 17, 16, 16], weight: [7, 7, 3, 16] },
    attrs: { stride: 2, padding: [3, 3, 3, 3], inputSize: [33, 31] },
  },
  {
    name: "2×2, stride 3: pixels without a tap",
    inputs: { gradient: [1, 4, 4, 8], weight: [2, 2, 4, 8] },
    attrs: { stride: 3, padding: [0, 0, 0, 0], inputSize: [11, 12] },
  },
  {
    name: "1×1",
    inputs: { gradient: [2, 9, 7, 9], weight: [1, 1, 17, 9] },
    attrs: { stride: 1, padding: [0, 0, 0, 0], inputSize: [9, 7] },
  },
  {
    name: "padding wider than the kernel",
    inputs: { gradient: [1, 10, 9, 4], weight: [2, 2, 3, 4] },
    attrs: { stride: 1, padding: [3, 2, 2, 3], inputSize: [6, 5] },
  },
  {
    name: "residual block",
    inputs: { gradient: [2, 32, 32, 64], weight: [3, 3, 64, 64] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], inputSize: [32, 32] },
    bench: true,
  },
  {
    name: "f16",
    inputs: {
      gradient: { shape: [1, 9, 7, 12], dtype: "f16" },
      weight: { shape: [3, 3, 8, 12], dtype: "f16" },
    },
    attrs: { stride: 1, padding: [1, 1, 1, 1], inputSize: [9, 7] },
  },
  {
    name: "f16, odd channels, f32 weight",
    inputs: { gradient: { shape: [2, 4, 3, 7], dtype: "f16" }, weight: [3, 3, 5, 7] },
    attrs: { stride: 2, padding: [1, 1, 1, 1], inputSize: [7, 5] },
  },
  {
    name: "tile borders",
    inputs: { gradient: [1, 17, 37, 36], weight: [3, 3, 20, 36] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], inputSize: [17, 37] },
  },
  {
    name: "stride 2, small image, many channels",
    inputs: { gradient: [1, 4, 4, 263], weight: [3, 3, 21, 263] },
    attrs: { stride: 2, padding: [1, 1, 1, 1], inputSize: [7, 8] },
  },
  ...sidedCases(backward),
  ...groupedCases(backward),
  ...winogradCases(backward),
  ...largeCases(backward),
];

export const inputGradientRefusals: readonly Refusal<"gradient" | "weight", Conv2dInputGradientAttrs>[] = [
  {
    inputs: { gradient: [1, 8, 8, 3], weight: [3, 3, 4, 8] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], inputSize: [8, 8] },
    message: /conv2dInputGradient: gradient must be \[1, 8, 8, 8\] .* but is \[1, 8, 8, 3\]/,
  },
  {
    inputs: { gradient: [1, 8, 8, 8], weight: [3, 3, 8] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], inputSize: [8, 8] },
    message: /conv2dInputGradient: weight must have 4 axes/,
  },
  {
    inputs: { gradient: { shape: [1, 8, 8, 8], dtype: "i32" }, weight: [3, 3, 4, 8] },
    attrs: { stride: 1, padding: [1, 1, 1, 1], inputSize: [8, 8] },
    message: /conv2dInputGradient: gradient must be f32/,
  },
];
