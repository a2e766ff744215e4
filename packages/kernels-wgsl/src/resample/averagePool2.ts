/**
 * Halves height and width: each pixel of `y` is the mean of a 2×2 block of `x`. Its gradient is
 * `upsampleNearest2` of the gradient ÷ 4.
 */
import { checkImage } from "../conv2d/geometry.ts";
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, show, sizeOf, spec } from "../spec.ts";
import { blockOf, forEachElement, imageOf } from "./images.ts";

/** Input x [N, H, W, C], H and W even; output y [N, H/2, W/2, C] of its type. */
export const averagePool2 = defineKernel({
  name: "averagePool2",
  inputs: ["x"],
  outputs: ["y"],
  params: { size: "u32" },
  infer({ x }, _attrs: Record<string, never>) {
    checkImage("averagePool2", "x", x, true);
    const [batch, height, width, channels] = x.shape as [number, number, number, number];
    check(
      height % 2 === 0 && width % 2 === 0,
      "averagePool2",
      () => `height and width of x ${show(x.shape)} must be even; pad it, or use averagePool.`,
    );
    const y = spec([batch, height / 2, width / 2, channels], x.dtype);
    return { outputs: { y }, params: { size: imageOf(y.shape).size } };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { outputs }) {
        const image = imageOf(outputs.y.shape, outputs.y.dtype);
        const { element, size } = image;
        const single = element.replace("f16", "f32");
        const at = (offset: string) => `${single}(x[at${offset}])`;
        return [
          {
            read: { x: element },
            write: { y: element },
            ...gridStride(
              caps,
              size,
              "params.size",
              /* wgsl */ `
${blockOf(image)}
    y[i] = ${element}(0.25 * ((${at("")} + ${at(" + right")}) + (${at(" + below")} + ${at(" + below + right")})));`,
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
      for (const dh of [0, 1])
        for (const dw of [0, 1])
          y[index]! += x[((n * height + 2 * h + dh) * width + 2 * w + dw) * channels + c]! / 4;
    });
    return { y };
  },
  cost: ({ inputs, outputs }) => ({
    flops: sizeOf(inputs.x.shape),
    bytes: bytesOf(inputs.x) + bytesOf(outputs.y),
  }),
  cases: [
    { name: "one block", inputs: { x: [1, 2, 2, 1] }, attrs: {} },
    { name: "odd numbers of blocks and channels", inputs: { x: [2, 6, 10, 7] }, attrs: {} },
    { name: "channels by four", inputs: { x: [2, 6, 2, 12] }, attrs: {} },
    { name: "f16", inputs: { x: { shape: [1, 4, 6, 8], dtype: "f16" } }, attrs: {} },
    { name: "f16, odd channels", inputs: { x: { shape: [2, 2, 4, 3], dtype: "f16" } }, attrs: {} },
    { name: "encoder block", inputs: { x: [2, 32, 32, 64] }, attrs: {}, bench: true },
    {
      name: "large encoder block",
      inputs: { x: [2, 128, 128, 64] },
      attrs: {},
      bench: true,
      benchOnly: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [1, 3, 4, 1] },
      attrs: {},
      message: /averagePool2: height and width of x \[1, 3, 4, 1\] must be even/,
    },
    {
      inputs: { x: [4, 4] },
      attrs: {},
      message: /averagePool2: x must have 4 axes but is \[4, 4\]/,
    },
  ],
});
