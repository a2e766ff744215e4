/** Convolutions, pooling and resampling, for the checks of gradients. */
import * as t from "@ddad/tensor";
import type { GradientCase } from "./gradientCases.ts";

const x = (...shape: number[]) => ({ shape });
/** Of a linear operation: squares give it second derivatives. */
const one = (name: string, shape: readonly number[], run: (a: t.Tensor) => t.Tensor): GradientCase => ({
  name,
  inputs: [{ shape }],
  run: (a) => run(a!),
});

/** Positions inside and outside of an image of 3 × 4, away from where its pixels and edges are. */
const between = (index: number): number => [-1.31, -0.61, -0.43, 0.07, 0.57, 0.81, 1.23][(index * 5) % 7]!;

const convolutions: readonly GradientCase[] = [
  {
    name: "conv2d, stride 2, uneven padding, bias",
    inputs: [x(2, 6, 5, 3), x(3, 2, 3, 4), x(4)],
    run: (a, w, bias) => t.conv2d(a!, w!, { bias: bias!, stride: 2, padding: [1, 0, 2, 1] }),
  },
  { name: "conv2d 1×1", inputs: [x(1, 3, 3, 4), x(1, 1, 4, 8)], run: (a, w) => t.conv2d(a!, w!) },
  {
    name: "conv2d, strides and dilations that differ",
    inputs: [x(1, 9, 8, 2), x(3, 2, 2, 3)],
    run: (a, w) => t.conv2d(a!, w!, { stride: [2, 1], padding: [1, 2], dilation: [2, 3] }),
  },
  {
    name: "conv2d, groups",
    inputs: [x(1, 5, 4, 6), x(3, 3, 3, 4), x(4)],
    run: (a, w, bias) => t.conv2d(a!, w!, { bias: bias!, padding: 1, groups: 2 }),
  },
  {
    name: "conv2d, depthwise, stride 2",
    inputs: [x(2, 5, 6, 4), x(3, 3, 1, 4), x(4)],
    run: (a, w, bias) => t.conv2d(a!, w!, { bias: bias!, stride: 2, padding: 1, groups: 4 }),
  },
  {
    name: "conv2d, depthwise, two channels out for each",
    inputs: [x(1, 4, 5, 3), x(2, 3, 1, 6)],
    run: (a, w) => t.conv2d(a!, w!, { padding: 1, groups: 3 }),
  },
  {
    name: "conv2d, squared",
    inputs: [x(1, 4, 4, 2), x(3, 3, 2, 3)],
    run: (a, w) => t.square(t.conv2d(a!, w!, { padding: 1 })),
  },
  {
    name: "conv1d",
    inputs: [x(2, 9, 4), x(3, 2, 6), x(6)],
    run: (a, w, bias) =>
      t.conv1d(a!, w!, { bias: bias!, stride: 2, padding: [2, 1], dilation: 2, groups: 2 }),
  },
  {
    name: "convTranspose2d, stride 2, bias",
    inputs: [x(2, 3, 4, 3), x(3, 2, 5, 3), x(5)],
    run: (a, w, bias) => t.convTranspose2d(a!, w!, { bias: bias!, stride: 2, padding: 1, outputPadding: 1 }),
  },
  {
    name: "convTranspose2d, groups, dilation, more output than a stride",
    inputs: [x(1, 3, 2, 4), x(2, 3, 3, 4)],
    run: (a, w) =>
      t.convTranspose2d(a!, w!, { stride: [1, 2], dilation: [3, 2], outputPadding: [2, 1], groups: 2 }),
  },
];

const resampling: readonly GradientCase[] = [
  one("upsampleNearest2", [2, 3, 2, 4], (a) => t.square(t.upsampleNearest2(a))),
  one("averagePool2", [2, 4, 6, 3], (a) => t.square(t.averagePool2(a))),
  one("averagePool 3×3, stride 1", [1, 4, 5, 2], (a) =>
    t.square(t.averagePool(a, { kernelSize: 3, stride: 1, padding: 1 })),
  ),
  one("maxPool 3×3, stride 2", [1, 7, 6, 2], (a) =>
    t.square(t.maxPool(a, { kernelSize: 3, stride: 2, padding: 1 })),
  ),
  one("averagePool, sides that differ, padding not counted", [1, 5, 7, 2], (a) =>
    t.square(
      t.averagePool(a, {
        kernelSize: [2, 3],
        stride: [2, 1],
        padding: [1, 2, 0, 1],
        countIncludePad: false,
        ceilMode: true,
      }),
    ),
  ),
  one("adaptiveAveragePool", [1, 5, 7, 2], (a) => t.square(t.adaptiveAveragePool(a, [3, 4]))),
  one("adaptiveAveragePool, even", [1, 4, 6, 1], (a) => t.square(t.adaptiveAveragePool(a, 2))),
  one("globalAveragePool", [2, 3, 4, 2], (a) => t.square(t.globalAveragePool(a))),
  one("maxPool, sides that differ, gaps between taps", [1, 9, 8, 2], (a) =>
    t.square(t.maxPool(a, { kernelSize: [3, 2], stride: [1, 2], padding: [1, 0], dilation: [2, 3] })),
  ),
  one("adaptiveMaxPool", [1, 5, 7, 2], (a) => t.square(t.adaptiveMaxPool(a, [2, 3]))),
  one("globalMaxPool", [2, 3, 4, 2], (a) => t.square(t.globalMaxPool(a))),
  one("resizeBilinear", [1, 3, 4, 2], (a) => t.square(t.resizeBilinear(a, [7, 5]))),
  one("resizeBilinear with aligned corners", [1, 3, 4, 2], (a) =>
    t.square(t.resizeBilinear(a, [6, 9], { alignCorners: true })),
  ),
  one("upsample, nearest by 2.5", [1, 3, 4, 2], (a) => t.square(t.upsample(a, { scaleFactor: 2.5 }))),
  one("upsample, bilinear by a factor", [1, 5, 4, 2], (a) =>
    t.square(t.upsample(a, { scaleFactor: [1.7, 0.6], mode: "bilinear" })),
  ),
  one("upsample, bicubic", [1, 4, 3, 2], (a) => t.square(t.upsample(a, { size: [7, 5], mode: "bicubic" }))),
  one("upsample, bicubic with aligned corners", [1, 4, 5, 1], (a) =>
    t.square(t.upsample(a, { size: [3, 9], mode: "bicubic", alignCorners: true })),
  ),
  ...(["bilinear", "bicubic"] as const).flatMap((mode) =>
    (["zeros", "border", "reflection"] as const).map(
      (paddingMode, k): GradientCase => ({
        name: `gridSample, ${mode}, ${paddingMode}`,
        inputs: [x(2, 3, 4, 2), { shape: [2, 2, 3, 2], fill: between }],
        run: (a, grid) => t.gridSample(a!, grid!, { mode, paddingMode, alignCorners: k === 1 }),
      }),
    ),
  ),
  {
    name: "gridSample, nearest",
    inputs: [x(2, 3, 4, 2), { shape: [2, 2, 3, 2], fill: between }],
    run: (a, grid) => t.square(t.add(t.gridSample(a!, grid!, { mode: "nearest" }), t.mean(t.square(grid!)))),
  },
  one("gaussianBlur", [1, 6, 7, 2], (a) => t.square(t.gaussianBlur(a, { sigma: 1.2, taps: 5 }))),
];

export const imageCases: readonly GradientCase[] = [...convolutions, ...resampling];
