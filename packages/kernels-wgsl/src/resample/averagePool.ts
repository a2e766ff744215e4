/**
 * Mean over windows (PyTorch's `avg_pool2d` and `adaptive_avg_pool2d`): pixels of the padding count as zeros, or not at all.
 * `y[n, h, w, c] = 1/k Σ x[n, h·stride + i − top, w·stride + j − left, c]` over the k pixels of the window that count.
 */
import { checkImage } from "../conv2d/geometry.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, sizeOf, spec, type TensorSpec } from "../spec.ts";
import { type AveragePoolAttrs, checkContiguous, dividedCode, divisorOf } from "./averages.ts";
import { imageOf, splitIndex, wide } from "./images.ts";
import {
  forEachWindowPixel,
  overWindow,
  pooledShape,
  readsOf,
  type WindowAxes,
  windowAxes,
} from "./windows.ts";

export type { AveragePoolAttrs } from "./averages.ts";

const op = "averagePool";

const axesOf = (x: TensorSpec, attrs: AveragePoolAttrs): WindowAxes => windowAxes(op, x.shape, attrs);

/** Input x [N, H, W, C]; output y [N, OH, OW, C] of its type, OH = ⌊(H + top + bottom − KH) / stride⌋ + 1 and OW likewise. */
export const averagePool = defineKernel({
  name: op,
  inputs: ["x"],
  outputs: ["y"],
  params: { size: "u32" },
  infer({ x }, attrs: AveragePoolAttrs) {
    checkImage(op, "x", x, true);
    const axes = axesOf(x, attrs);
    checkContiguous(op, axes);
    const y = spec(pooledShape(x.shape, axes), x.dtype);
    return { outputs: { y }, params: { size: imageOf(y.shape).size } };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs, outputs, attrs }) {
        const from = imageOf(inputs.x.shape, inputs.x.dtype);
        const to = imageOf(outputs.y.shape, outputs.y.dtype);
        const axes = axesOf(inputs.x, attrs);
        const { countIncludePad = true } = attrs;
        const total = wide(to.element);
        return [
          {
            read: { x: from.element },
            write: { y: to.element },
            ...gridStride(
              caps,
              to.size,
              "params.size",
              /* wgsl */ `
    ${splitIndex(to)}
    var total = ${total}(0);
    ${overWindow(axes, `total += ${total}(x[((n * ${from.height}u + h) * ${from.width}u + w) * ${from.units}u + c]);`)}
    y[i] = ${to.element}(${dividedCode(axes, countIncludePad, "total", "row", "column")});`,
            ),
          },
        ];
      },
    },
  ],
  reference({ x }, { inputs, outputs, attrs }) {
    const y = new Float64Array(sizeOf(outputs.y.shape));
    const axes = axesOf(inputs.x, attrs);
    const { countIncludePad = true } = attrs;
    forEachWindowPixel(inputs.x.shape, axes, (yIndex, xIndex, row, column) => {
      y[yIndex]! += x[xIndex]! / divisorOf(axes, countIncludePad, row, column);
    });
    return { y };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: readsOf(sizeOf(outputs.y.shape), axesOf(inputs.x, attrs)),
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
      name: "sides that differ",
      inputs: { x: [2, 9, 11, 4] },
      attrs: { kernelSize: [2, 5], stride: [3, 2], padding: [1, 4, 0, 2] },
    },
    {
      name: "padding does not count",
      inputs: { x: [1, 6, 7, 3] },
      attrs: { kernelSize: 3, stride: 2, padding: 1, countIncludePad: false },
    },
    {
      name: "rounded up",
      inputs: { x: [2, 6, 9, 4] },
      attrs: { kernelSize: 3, stride: 2, padding: 1, ceilMode: true },
    },
    {
      name: "rounded up, padding does not count",
      inputs: { x: [1, 8, 6, 3] },
      attrs: { kernelSize: 3, stride: 4, padding: [2, 0, 1, 2], ceilMode: true, countIncludePad: false },
    },
    { name: "adaptive", inputs: { x: [2, 7, 10, 4] }, attrs: { size: [3, 4] } },
    { name: "adaptive, to more pixels", inputs: { x: [1, 3, 5, 3] }, attrs: { size: [7, 5] } },
    {
      name: "f16",
      inputs: { x: { shape: [1, 6, 5, 8], dtype: "f16" } },
      attrs: { kernelSize: 3, stride: 1, padding: 1, countIncludePad: false },
    },
    {
      name: "f16, odd channels",
      inputs: { x: { shape: [1, 6, 5, 3], dtype: "f16" } },
      attrs: { kernelSize: 2, stride: 2, padding: 0 },
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
      message: /averagePool: stride must be a whole number of at least 1, or two of them, but is 0/,
    },
    {
      inputs: { x: [1, 5, 5, 4] },
      attrs: { kernelSize: [2, 3], stride: 1, padding: 2 },
      message:
        /averagePool: padding \[2, 2, 2, 2\] must be whole numbers of at least 0, smaller than the 2×3 pixels that a window spans/,
    },
    {
      inputs: { x: [1, 5, 2, 4] },
      attrs: { kernelSize: 3, stride: 1, padding: 0 },
      message: /averagePool: a window of 3×3 is larger than x \[1, 5, 2, 4\] with padding \[0, 0, 0, 0\]/,
    },
    {
      inputs: { x: [1, 5, 5, 4] },
      attrs: { kernelSize: 3, stride: 1, padding: 0, dilation: 2 },
      message: /averagePool: windows have no dilation; only maxPool's may/,
    },
    {
      inputs: { x: [1, 0, 5, 4] },
      attrs: { size: [2, 2] },
      message: /averagePool: x \[1, 0, 5, 4\] has no pixels to pool/,
    },
    {
      inputs: { x: [1, 5, 5, 4] },
      attrs: { size: [2, 0] },
      message: /averagePool: size \[2, 0\] must be a height and a width, whole numbers of at least 1/,
    },
  ],
});
