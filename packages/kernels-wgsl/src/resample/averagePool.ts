/**
 * Mean over square windows; pixels of the padding count as zeros (PyTorch's `avg_pool2d` with `count_include_pad`).
 * `y[n, h, w, c] = 1/k² Σ x[n, h·stride + i − padding, w·stride + j − padding, c]` over 0 ≤ i, j < k.
 */
import { checkImage } from "../conv2d/geometry.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, sizeOf, spec } from "../spec.ts";
import { forEachElement, imageOf, splitIndex } from "./images.ts";
import { checkWindows, pooledShape, type Windows } from "./windows.ts";

export type AveragePoolAttrs = Windows;

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
      passes(caps, { inputs, outputs, attrs: { kernelSize, stride, padding } }) {
        const from = imageOf(inputs.x.shape);
        const to = imageOf(outputs.y.shape);
        return [
          {
            read: { x: from.element },
            write: { y: to.element },
            // Pixels above or left of x wrap around to huge numbers, so one comparison finds all that lie outside.
            ...gridStride(
              caps,
              to.size,
              "params.size",
              /* wgsl */ `
    ${splitIndex(to)}
    var total = ${to.element}(0);
    for (var k = 0u; k < ${kernelSize}u; k++) {
      let h = row * ${stride}u + k - ${padding}u;
      if (h >= ${from.height}u) { continue; }
      for (var j = 0u; j < ${kernelSize}u; j++) {
        let w = column * ${stride}u + j - ${padding}u;
        if (w >= ${from.width}u) { continue; }
        total += x[((n * ${from.height}u + h) * ${from.width}u + w) * ${from.units}u + c];
      }
    }
    y[i] = total * f32(${1 / kernelSize ** 2});`,
            ),
          },
        ];
      },
    },
  ],
  reference({ x }, { inputs, outputs, attrs: { kernelSize, stride, padding } }) {
    const [, height, width, channels] = inputs.x.shape as [number, number, number, number];
    const y = new Float64Array(sizeOf(outputs.y.shape));
    forEachElement(outputs.y.shape, (n, row, column, c, index) => {
      for (let i = 0; i < kernelSize; i++)
        for (let j = 0; j < kernelSize; j++) {
          const h = row * stride + i - padding;
          const w = column * stride + j - padding;
          if (h < 0 || h >= height || w < 0 || w >= width) continue;
          y[index]! += x[((n * height + h) * width + w) * channels + c]! / kernelSize ** 2;
        }
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
      message: /averagePool: x must have 4 axes of at least 1 element but is \[5, 5, 4\]/,
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
