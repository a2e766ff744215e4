/** Maximum over windows (PyTorch's `max_pool2d` and `adaptive_max_pool2d`): pixels of the padding never win, NaN always does. */
import { checkImage } from "../conv2d/geometry.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, sizeOf, spec } from "../spec.ts";
import { imageOf, splitIndex, wide } from "./images.ts";
import { overWindow, type PoolWindows, pooledShape, readsOf, windowAxes } from "./windows.ts";
import { positionOf, winnersOf } from "./winners.ts";

/** Attributes of `maxPool` and its gradient: the windows. */
export type MaxPoolAttrs = PoolWindows;

/** Input x [N, H, W, C]; output y [N, OH, OW, C] of its type. Sizes are those of `averagePool`, a window of KH taps spanning
 * dilation · (KH − 1) + 1 pixels. */
export const maxPool = defineKernel({
  name: "maxPool",
  inputs: ["x"],
  outputs: ["y"],
  // −∞ cannot be written in WGSL.
  params: { size: "u32", lowest: "f32" },
  infer({ x }, attrs: MaxPoolAttrs) {
    checkImage("maxPool", "x", x, true);
    const shape = pooledShape(x.shape, windowAxes("maxPool", x.shape, attrs));
    return {
      outputs: { y: spec(shape, x.dtype) },
      params: { size: imageOf(shape).size, lowest: Number.NEGATIVE_INFINITY },
    };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs, outputs, attrs }) {
        const from = imageOf(inputs.x.shape, inputs.x.dtype);
        const to = imageOf(outputs.y.shape, outputs.y.dtype);
        const element = wide(to.element);
        const bits = positionOf(to);
        return [
          {
            read: { x: from.element },
            write: { y: to.element },
            ...gridStride(
              caps,
              to.size,
              "params.size",
              // Compilers may assume that NaN does not occur, so NaN is detected by its bits, which exceed those of all other numbers.
              /* wgsl */ `
    ${splitIndex(to)}
    var total = ${element}(params.lowest);
    var bits = ${bits}(0);
    ${overWindow(
      windowAxes("maxPool", inputs.x.shape, attrs),
      /* wgsl */ `let value = ${element}(x[((n * ${from.height}u + h) * ${from.width}u + w) * ${from.units}u + c]);
        total = max(total, value);
        bits = max(bits, bitcast<${bits}>(value) & ${bits}(0x7fffffffu));`,
    )}
    y[i] = ${to.element}(select(total, bitcast<${element}>(bits), bits > ${bits}(0x7f800000u)));`,
            ),
          },
        ];
      },
    },
  ],
  reference({ x }, { inputs, attrs }) {
    const { shape } = inputs.x;
    const winners = winnersOf(x, shape, windowAxes("maxPool", shape, attrs));
    return { y: Float64Array.from(winners, (index) => (index < 0 ? Number.NEGATIVE_INFINITY : x[index]!)) };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: readsOf(sizeOf(outputs.y.shape), windowAxes("maxPool", inputs.x.shape, attrs)),
    bytes: bytesOf(inputs.x) + bytesOf(outputs.y),
  }),
  cases: [
    {
      name: "one element",
      inputs: { x: [1, 1, 1, 1] },
      attrs: { kernelSize: 1, stride: 1, padding: 0 },
      tolerance: 0,
    },
    {
      name: "all negative, padded",
      inputs: { x: { shape: [1, 4, 5, 3], fill: (_, uniform) => -1 - uniform() } },
      attrs: { kernelSize: 3, stride: 2, padding: 1 },
      tolerance: 0,
    },
    {
      name: "prime sizes",
      inputs: { x: [2, 7, 11, 5] },
      attrs: { kernelSize: 3, stride: 1, padding: 0 },
      tolerance: 0,
    },
    {
      name: "rounded up",
      inputs: { x: [2, 8, 6, 4] },
      attrs: { kernelSize: 3, stride: 2, padding: 0, ceilMode: true },
      tolerance: 0,
    },
    {
      name: "rounded up, a last window that would hold no pixel",
      inputs: { x: [1, 3, 5, 2] },
      attrs: { kernelSize: 2, stride: 3, padding: 1, ceilMode: true },
      tolerance: 0,
    },
    {
      name: "NaN and infinities",
      inputs: {
        x: {
          shape: [1, 9, 8, 4],
          fill: (index, uniform) =>
            index % 37 === 5 ? Number.NaN : index % 3 === 0 ? Number.NEGATIVE_INFINITY : uniform() - 9,
        },
      },
      attrs: { kernelSize: 2, stride: 1, padding: 1 },
      tolerance: 0,
    },
    {
      name: "NaN and infinities, odd channels",
      inputs: {
        x: {
          shape: [1, 7, 8, 3],
          fill: (index, uniform) => (index % 31 === 7 ? Number.NaN : index % 2 ? -(1 / 0) : uniform()),
        },
      },
      attrs: { kernelSize: 2, stride: 2, padding: 0 },
      tolerance: 0,
    },
    {
      name: "sides that differ, gaps between taps",
      inputs: { x: [2, 11, 9, 4] },
      attrs: { kernelSize: [2, 3], stride: [3, 2], padding: [1, 2, 0, 4], dilation: [4, 2] },
      tolerance: 0,
    },
    {
      name: "a window without a pixel",
      inputs: { x: [1, 3, 1, 2] },
      attrs: { kernelSize: [1, 2], stride: 1, padding: [0, 1, 0, 2], dilation: [1, 3] },
      tolerance: 0,
    },
    { name: "adaptive", inputs: { x: [2, 7, 10, 4] }, attrs: { size: [3, 4] }, tolerance: 0 },
    {
      name: "adaptive, to more pixels",
      inputs: { x: [1, 3, 5, 3] },
      attrs: { size: [7, 5] },
      tolerance: 0,
    },
    {
      name: "f16",
      inputs: {
        x: { shape: [1, 6, 5, 8], dtype: "f16", fill: (i, uniform) => (i % 29 ? uniform() : Number.NaN) },
      },
      attrs: { kernelSize: 3, stride: 2, padding: 1 },
      tolerance: 0,
    },
    {
      name: "f16, odd channels",
      inputs: { x: { shape: [1, 6, 5, 3], dtype: "f16" } },
      attrs: { kernelSize: 2, stride: 1, padding: 0 },
      tolerance: 0,
    },
    {
      name: "stem of a ResNet",
      inputs: { x: [1, 64, 64, 64] },
      attrs: { kernelSize: 3, stride: 2, padding: 1 },
      tolerance: 0,
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [5, 5, 4] },
      attrs: { kernelSize: 3, stride: 1, padding: 1 },
      message: /maxPool: x must have 4 axes but is \[5, 5, 4\]/,
    },
    {
      inputs: { x: [1, 5, 5, 4] },
      attrs: { kernelSize: 3, stride: 1, padding: 3 },
      message:
        /maxPool: padding \[3, 3, 3, 3\] must be whole numbers of at least 0, smaller than the 3×3 pixels that a window spans/,
    },
    {
      inputs: { x: [1, 5, 2, 4] },
      attrs: { kernelSize: 3, stride: 1, padding: 0 },
      message: /maxPool: a window of 3×3 is larger than x \[1, 5, 2, 4\] with padding \[0, 0, 0, 0\]/,
    },
  ],
});
