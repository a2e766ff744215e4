/** Cases and refusals of `conv2d`. */
import type { Case, Refusal } from "../kernel.ts";
import type { Conv2dAttrs } from "./geometry.ts";
import { groupedCases } from "./groupedCases.ts";
import { type LargeConvolution, largeCases } from "./largeCases.ts";
import { sidedCases } from "./sidedCases.ts";
import { winogradCases } from "./winogradCases.ts";

const forward = ({ x, weight, y, attrs }: LargeConvolution) => ({
  inputs: { x, weight, bias: [y.shape[3]!] },
  attrs,
});

export const forwardCases: readonly Case<"x" | "weight" | "bias", Conv2dAttrs>[] = [
  {
    name: "one element",
    inputs: { x: [1, 1, 1, 1], weight: [1, 1, 1, 1], bias: [1] },
    attrs: { stride: 1, padding: [0, 0, 0, 0] },
  },
  {
    name: "3×3, prime sizes",
    inputs: { x: [2, 7, 11, 5], weight: [3, 3, 5, 13], bias: [13] },
    attrs: { stride: 1, padding: [1, 1, 1, 1] },
  },
  {
    name: "rectangular kernel, uneven padding",
    inputs: { x: [1, 9, 6, 3], weight: [2, 5, 3, 7] },
    attrs: { stride: 1, padding: [0, 3, 2, 1] },
  },
  {
    name: "3×3, stride 2",
    inputs: { x: [2, 13, 10, 6], weight: [3, 3, 6, 10] },
    attrs: { stride: 2, padding: [1, 1, 1, 1] },
  },
  {
    name: "7×7, stride 2, 3 channels",
    inputs: { x: [1, 33, 31, 3], weight: [7, 7, 3, 16] },
    attrs: { stride: 2, padding: [3, 3, 3, 3] },
  },
  {
    name: "2×2, stride 3: gaps between taps",
    inputs: { x: [1, 11, 12, 4], weight: [2, 2, 4, 8] },
    attrs: { stride: 3, padding: [0, 0, 0, 0] },
  },
  {
    name: "1×1",
    inputs: { x: [2, 9, 7, 17], weight: [1, 1, 17, 9], bias: [9] },
    attrs: { stride: 1, padding: [0, 0, 0, 0] },
  },
  {
    name: "residual block",
    inputs: { x: [2, 32, 32, 64], weight: [3, 3, 64, 64], bias: [64] },
    attrs: { stride: 1, padding: [1, 1, 1, 1] },
    bench: true,
  },
  {
    name: "tile borders",
    inputs: { x: [1, 17, 37, 20], weight: [3, 3, 20, 36] },
    attrs: { stride: 1, padding: [1, 1, 1, 1] },
  },
  {
    name: "small image, many channels",
    inputs: { x: [1, 5, 7, 134], weight: [3, 3, 134, 21], bias: [21] },
    attrs: { stride: 1, padding: [1, 1, 1, 1] },
  },
  {
    name: "f16",
    inputs: {
      x: { shape: [1, 9, 7, 8], dtype: "f16" },
      weight: { shape: [3, 3, 8, 12], dtype: "f16" },
      bias: [12],
    },
    attrs: { stride: 1, padding: [1, 1, 1, 1] },
  },
  {
    name: "f16, odd channels, f32 weight",
    inputs: { x: { shape: [2, 7, 5, 5], dtype: "f16" }, weight: [3, 3, 5, 7] },
    attrs: { stride: 2, padding: [1, 1, 1, 1] },
  },
  {
    name: "into the network",
    inputs: { x: [1, 64, 64, 3], weight: [3, 3, 3, 32], bias: [32] },
    attrs: { stride: 1, padding: [1, 1, 1, 1] },
    bench: true,
  },
  {
    name: "few outputs, strip borders, uneven kernel",
    inputs: { x: [2, 5, 17, 12], weight: [3, 2, 12, 2], bias: [2] },
    attrs: { stride: 1, padding: [1, 1, 1, 0] },
  },
  {
    name: "few outputs, f16",
    inputs: {
      x: { shape: [1, 6, 9, 8], dtype: "f16" },
      weight: { shape: [3, 3, 8, 3], dtype: "f16" },
      bias: [3],
    },
    attrs: { stride: 1, padding: [1, 1, 1, 1] },
  },
  {
    name: "out of the network",
    inputs: { x: [1, 64, 64, 32], weight: [3, 3, 32, 3], bias: [3] },
    attrs: { stride: 1, padding: [1, 1, 1, 1] },
    bench: true,
  },
  ...sidedCases(forward),
  ...groupedCases(forward),
  ...winogradCases(forward),
  ...largeCases(forward),
];

export const forwardRefusals: readonly Refusal<"x" | "weight" | "bias", Conv2dAttrs>[] = [
  {
    inputs: { x: [1, 8, 8, 3], weight: [3, 3, 4, 8] },
    attrs: { stride: 1, padding: [1, 1, 1, 1] },
    message: /conv2d: x \[1, 8, 8, 3\] has 3 channels but weight \[3, 3, 4, 8\] expects 4/,
  },
  {
    inputs: { x: [8, 8, 3], weight: [3, 3, 3, 8] },
    attrs: { stride: 1, padding: [1, 1, 1, 1] },
    message: /conv2d: x must have 4 axes but is \[8, 8, 3\]/,
  },
  {
    inputs: { x: [1, 8, 8, 3], weight: { shape: [3, 3, 3, 8], dtype: "i32" } },
    attrs: { stride: 1, padding: [1, 1, 1, 1] },
    message: /conv2d: weight must be f32 or f16 but is i32/,
  },
  {
    inputs: { x: [1, 8, 8, 3], weight: [3, 3, 3, 8], bias: [7] },
    attrs: { stride: 1, padding: [1, 1, 1, 1] },
    message: /conv2d: bias must be f32 \[8\] but is f32 \[7\]/,
  },
  {
    inputs: { x: [1, 2, 8, 3], weight: [5, 3, 3, 8] },
    attrs: { stride: 1, padding: [1, 1, 1, 1] },
    message: /conv2d: a kernel of 5×3 is larger than the padded image of 4×10; pad more/,
  },
  {
    inputs: { x: [1, 8, 8, 3], weight: [3, 3, 3, 8] },
    attrs: { stride: 0, padding: [1, 1, 1, 1] },
    message: /conv2d: stride must be a whole number of at least 1, or two of them, but is 0/,
  },
  {
    inputs: { x: [1, 8, 8, 3], weight: [3, 3, 3, 8] },
    attrs: { stride: 1, padding: [1, -1, 1, 1] },
    message: /conv2d: padding must be whole numbers of at least 0 but is \[1, -1, 1, 1\]/,
  },
];
