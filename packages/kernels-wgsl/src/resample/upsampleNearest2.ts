/**
 * Doubles height and width by repeating pixels: `y[n, h, w, c] = x[n, ⌊h/2⌋, ⌊w/2⌋, c]`.
 * Its gradient is 4 × `averagePool2` of the gradient.
 */
import { checkImage } from "../conv2d/geometry.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, sizeOf, spec } from "../spec.ts";
import { blockOf, forEachElement, imageOf } from "./images.ts";

/** Input x [N, H, W, C]; output y [N, 2H, 2W, C] of its type. */
export const upsampleNearest2 = defineKernel({
  name: "upsampleNearest2",
  inputs: ["x"],
  outputs: ["y"],
  params: { size: "u32" },
  infer({ x }, _attrs: Record<string, never>) {
    checkImage("upsampleNearest2", "x", x, true);
    const [batch, height, width, channels] = x.shape as [number, number, number, number];
    return {
      outputs: { y: spec([batch, 2 * height, 2 * width, channels], x.dtype) },
      params: { size: imageOf(x.shape).size },
    };
  },
  variants: [
    {
      // A thread reads one unit of x and writes it four times.
      name: "direct",
      passes(caps, { inputs }) {
        const image = imageOf(inputs.x.shape, inputs.x.dtype);
        const { element, size } = image;
        return [
          {
            read: { x: element },
            write: { y: element },
            ...gridStride(
              caps,
              size,
              "params.size",
              /* wgsl */ `
    let value = x[i];
${blockOf(image)}
    y[at] = value;
    y[at + right] = value;
    y[at + below] = value;
    y[at + below + right] = value;`,
            ),
          },
        ];
      },
    },
  ],
  reference({ x }, { inputs, outputs }) {
    const [, height, width, channels] = inputs.x.shape as [number, number, number, number];
    const y = new Float64Array(sizeOf(outputs.y.shape));
    forEachElement(outputs.y.shape, (n, h, w, c, index) => {
      y[index] = x[((n * height + (h >> 1)) * width + (w >> 1)) * channels + c]!;
    });
    return { y };
  },
  cost: ({ inputs, outputs }) => ({ flops: 0, bytes: bytesOf(inputs.x) + bytesOf(outputs.y) }),
  cases: [
    { name: "one element", inputs: { x: [1, 1, 1, 1] }, attrs: {}, tolerance: 0 },
    { name: "prime sizes", inputs: { x: [2, 5, 7, 3] }, attrs: {}, tolerance: 0 },
    { name: "channels by four", inputs: { x: [2, 3, 5, 12] }, attrs: {}, tolerance: 0 },
    { name: "f16", inputs: { x: { shape: [1, 2, 3, 5], dtype: "f16" } }, attrs: {}, tolerance: 0 },
    { name: "decoder block", inputs: { x: [2, 16, 16, 128] }, attrs: {}, tolerance: 0, bench: true },
    { name: "large decoder block", inputs: { x: [2, 64, 64, 128] }, attrs: {}, bench: true, benchOnly: true },
  ],
  refusals: [
    {
      inputs: { x: [4, 4, 3] },
      attrs: {},
      message: /upsampleNearest2: x must have 4 axes but is \[4, 4, 3\]/,
    },
    {
      inputs: { x: { shape: [1, 2, 2, 1], dtype: "u32" } },
      attrs: {},
      message: /upsampleNearest2: x must be f32 or f16 but is u32/,
    },
  ],
});
