/**
 * Mean over square windows; pixels of the padding count as zeros (PyTorch's `avg_pool2d` with `count_include_pad`).
 * `y[n, h, w, c] = 1/k² Σ x[n, h·stride + i − padding, w·stride + j − padding, c]` over 0 ≤ i, j < k.
 */
import { checkImage } from "../conv2d/geometry.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, sizeOf, spec } from "../spec.ts";
import { imageOf } from "./images.ts";
import { checkWindows, forEachWindowPixel, pooledShape, type Windows, windowPass } from "./windows.ts";

/** Attributes of `averagePool`: its windows. */
export type AveragePoolAttrs = Windows;

/** Input x [N, H, W, C]; output y [N, OH, OW, C], OH = ⌊(H + 2·padding − kernelSize) / stride⌋ + 1 and OW likewise. */
export const averagePool = defineKernel({
  name: "averagePool",
  inputs: ["x"],
  outputs: ["y"],
  params: { size: "u32" },
  infer({ x }, attrs: AveragePoolAttrs) {
    checkImage("averagePool", "x", x);
    checkWindows("averagePool", attrs);
    const shape = pooledShape("averagePool", x.shape, attrs);
    return { outputs: { y: spec(shape) }, params: { size: imageOf(shape).size } };
  },
  variants: [
    {
      name: "direct",
      passes: (caps, { inputs, outputs, attrs }) => [
        windowPass(caps, inputs.x.shape, outputs.y.shape, attrs, {
          start: 0,
          fold: "total + value",
          result: `total * f32(${1 / attrs.kernelSize ** 2})`,
        }),
      ],
    },
  ],
  reference({ x }, { inputs, outputs, attrs }) {
    const y = new Float64Array(sizeOf(outputs.y.shape));
    forEachWindowPixel(inputs.x.shape, outputs.y.shape, attrs, (yIndex, xIndex) => {
      y[yIndex]! += x[xIndex]! / attrs.kernelSize ** 2;
    });
    return { y };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: sizeOf(outputs.y.shape) * attrs.kernelSize ** 2,
    bytes: bytesOf(inputs.x) + bytesOf(outputs.y),
  }),
  cases: [
    { name: "one element", inputs: { x: [1, 1, 1, 1] }, attrs: { kernelSize: 1, stride: 1, padding: 0 } },
    {
      name: "one pixel among zeros",
      inputs: { x: [1, 1, 1, 3] },
      attrs: { kernelSize: 3, stride: 1, padding: 1 },
    },
    {
      name: "3×3, prime sizes",
      inputs: { x: [2, 7, 11, 5] },
      attrs: { kernelSize: 3, stride: 1, padding: 1 },
    },
    {
      name: "3×3, stride 2, channels by four",
      inputs: { x: [2, 9, 10, 8] },
      attrs: { kernelSize: 3, stride: 2, padding: 1 },
    },
    {
      name: "2×2, stride 3: gaps between windows",
      inputs: { x: [1, 8, 17, 3] },
      attrs: { kernelSize: 2, stride: 3, padding: 0 },
    },
    {
      name: "the whole image",
      inputs: { x: [2, 5, 5, 4] },
      attrs: { kernelSize: 5, stride: 5, padding: 0 },
    },
    {
      name: "patches of layer 2",
      inputs: { x: [1, 32, 32, 512] },
      attrs: { kernelSize: 3, stride: 1, padding: 1 },
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [5, 5, 4] },
      attrs: { kernelSize: 3, stride: 1, padding: 1 },
      message: /averagePool: x must have 4 axes but is \[5, 5, 4\]/,
    },
    {
      inputs: { x: [1, 5, 5, 4] },
      attrs: { kernelSize: 3, stride: 0, padding: 1 },
      message: /averagePool: kernelSize 3 and stride 0 must be whole numbers of at least 1/,
    },
    {
      inputs: { x: [1, 5, 5, 4] },
      attrs: { kernelSize: 3, stride: 1, padding: 2 },
      message: /averagePool: padding 2 must be a whole number of at least 0 and at most half of kernelSize 3/,
    },
    {
      inputs: { x: [1, 5, 2, 4] },
      attrs: { kernelSize: 3, stride: 1, padding: 0 },
      message: /averagePool: a window of 3×3 is larger than x \[1, 5, 2, 4\] with padding 0/,
    },
  ],
});
