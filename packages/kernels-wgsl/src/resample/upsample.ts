/** Resizing of images to any size by the nearest pixel, bilinearly or bicubically: PyTorch's `interpolate` without antialiasing. */
import { checkImage } from "../conv2d/geometry.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { repeat } from "../repeat.ts";
import { bytesOf, sizeOf, spec, type TensorSpec } from "../spec.ts";
import { imageOf, splitIndex, wide } from "./images.ts";
import { axesOf, axisCode, filterCode, forEachTap, tapCount, type UpsampleAttrs } from "./resampling.ts";

export type { Fraction, UpsampleAttrs } from "./resampling.ts";

const op = "upsample";

const axes = ({ shape }: TensorSpec, attrs: UpsampleAttrs) => axesOf(op, [shape[1]!, shape[2]!], attrs);

/** Input x [N, H, W, C]; output y [N, size[0], size[1], C] of its type. */
export const upsample = defineKernel({
  name: op,
  inputs: ["x"],
  outputs: ["y"],
  params: { size: "u32" },
  infer({ x }, attrs: UpsampleAttrs) {
    checkImage(op, "x", x, true);
    axes(x, attrs);
    const y = spec([x.shape[0]!, ...attrs.size, x.shape[3]!], x.dtype);
    return { outputs: { y }, params: { size: imageOf(y.shape).size } };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs, outputs, attrs }) {
        const from = imageOf(inputs.x.shape, inputs.x.dtype);
        const to = imageOf(outputs.y.shape, outputs.y.dtype);
        const [vertical, horizontal] = axes(inputs.x, attrs);
        const taps = tapCount(attrs.mode);
        const element = wide(from.element);
        const loop = gridStride(
          caps,
          to.size,
          "params.size",
          /* wgsl */ `
    ${splitIndex(to)}
    let left = lowH(column);
    let top = lowV(row);
    let along = fractionH(column, left);
    let down = fractionV(row, top);
    let image = n * ${from.height}u;
${repeat(taps, (k) => `    let w${k} = pixelH(left, ${k});`)}
${repeat(taps, (j) => {
  const at = (k: number) => `x[((image + pixelV(top, ${j})) * ${from.width}u + w${k}) * ${from.units}u + c]`;
  return `    let line${j} = ${repeat(taps, (k) => `weightH${k}(along) * ${element}(${at(k)})`, " + ")};`;
})}
    y[i] = ${to.element}(${repeat(taps, (j) => `weightV${j}(down) * line${j}`, " + ")});`,
        );
        return [
          {
            read: { x: from.element },
            write: { y: to.element },
            ...loop,
            code: `${filterCode(attrs.mode)}${axisCode("V", vertical, attrs.mode)}${axisCode("H", horizontal, attrs.mode)}${loop.code}`,
          },
        ];
      },
    },
  ],
  reference({ x }, { inputs, outputs, attrs }) {
    const [batch, height, width, channels] = inputs.x.shape as [number, number, number, number];
    const pixels = attrs.size[0] * attrs.size[1];
    const y = new Float64Array(sizeOf(outputs.y.shape));
    forEachTap(axes(inputs.x, attrs), attrs.mode, (output, input, weight) => {
      for (let n = 0; n < batch; n++)
        for (let c = 0; c < channels; c++)
          y[(n * pixels + output) * channels + c]! +=
            weight * x[(n * height * width + input) * channels + c]!;
    });
    return { y };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: 2 * tapCount(attrs.mode) ** 2 * sizeOf(outputs.y.shape),
    bytes: bytesOf(inputs.x) + bytesOf(outputs.y),
  }),
  cases: [
    {
      name: "one element",
      inputs: { x: [1, 1, 1, 1] },
      attrs: { mode: "nearest", size: [1, 1], alignCorners: false },
    },
    {
      name: "nearest, enlarged",
      inputs: { x: [2, 5, 3, 3] },
      attrs: { mode: "nearest", size: [7, 11], alignCorners: false },
      tolerance: 0,
    },
    {
      name: "nearest, reduced",
      inputs: { x: [1, 7, 11, 4] },
      attrs: { mode: "nearest", size: [3, 4], alignCorners: false },
      tolerance: 0,
    },
    {
      name: "nearest by 2.5",
      inputs: { x: [1, 3, 3, 2] },
      attrs: {
        mode: "nearest",
        size: [7, 7],
        alignCorners: false,
        scale: [
          [2, 5],
          [2, 5],
        ],
      },
      tolerance: 0,
    },
    {
      name: "bilinear by 2.5 and 0.7",
      inputs: { x: [2, 3, 11, 4] },
      attrs: {
        mode: "bilinear",
        size: [7, 7],
        alignCorners: false,
        scale: [
          [2, 5],
          [10, 7],
        ],
      },
    },
    {
      name: "bilinear, corners",
      inputs: { x: [1, 4, 5, 3] },
      attrs: { mode: "bilinear", size: [7, 3], alignCorners: true },
    },
    {
      name: "bicubic, enlarged",
      inputs: { x: [2, 5, 3, 3] },
      attrs: { mode: "bicubic", size: [13, 8], alignCorners: false },
    },
    {
      name: "bicubic, reduced",
      inputs: { x: [1, 9, 13, 4] },
      attrs: { mode: "bicubic", size: [4, 5], alignCorners: false },
    },
    {
      name: "bicubic, corners",
      inputs: { x: [1, 4, 6, 4] },
      attrs: { mode: "bicubic", size: [9, 5], alignCorners: true },
    },
    {
      name: "bicubic, one pixel to many",
      inputs: { x: [1, 1, 1, 3] },
      attrs: { mode: "bicubic", size: [3, 5], alignCorners: true },
    },
    {
      name: "bicubic, many to one pixel",
      inputs: { x: [1, 3, 5, 3] },
      attrs: { mode: "bicubic", size: [1, 1], alignCorners: true },
    },
    {
      name: "bicubic, f16",
      inputs: { x: { shape: [1, 4, 3, 8], dtype: "f16" } },
      attrs: { mode: "bicubic", size: [6, 7], alignCorners: false },
    },
    {
      name: "nearest, f16, odd channels",
      inputs: { x: { shape: [1, 4, 3, 3], dtype: "f16" } },
      attrs: { mode: "nearest", size: [6, 7], alignCorners: false },
    },
    {
      name: "feature map to twice its size",
      inputs: { x: [2, 32, 32, 64] },
      attrs: { mode: "bicubic", size: [64, 64], alignCorners: false },
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [4, 4, 3] },
      attrs: { mode: "nearest", size: [8, 8], alignCorners: false },
      message: /upsample: x must have 4 axes but is \[4, 4, 3\]/,
    },
    {
      inputs: { x: [1, 4, 4, 3] },
      attrs: { mode: "nearest", size: [8, 8], alignCorners: true },
      message: /upsample: alignCorners has no meaning for mode nearest; leave it out/,
    },
    {
      inputs: { x: [1, 4, 4, 3] },
      attrs: { mode: "bicubic", size: [0, 8], alignCorners: true },
      message: /upsample: size \[0, 8\] must be a height and a width, whole numbers of 1 to 16,384/,
    },
  ],
});
