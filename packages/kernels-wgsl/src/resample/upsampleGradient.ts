/** The gradient of `upsample`, its adjoint. Each input pixel collects from the output pixels that read it: no atomics. */
import { checkImage, type Sides } from "../conv2d/geometry.ts";
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, show, sizeOf, spec } from "../spec.ts";
import { imageOf, splitIndex, wide } from "./images.ts";
import { axesOf, axisCode, filterCode, forEachTap, tapCount, type UpsampleAttrs } from "./resampling.ts";

/** Attributes of `upsampleGradient`: those of the resizing, and the size that it was given. */
export interface UpsampleGradientAttrs extends UpsampleAttrs {
  /** Height and width of the image that was resized. */
  readonly inputSize: Sides;
}

const op = "upsampleGradient";

/** Input gradient of y [N, size[0], size[1], C]; output xGradient [N, H, W, C] of its type. */
export const upsampleGradient = defineKernel({
  name: op,
  inputs: ["gradient"],
  outputs: ["xGradient"],
  params: { size: "u32" },
  infer({ gradient }, attrs: UpsampleGradientAttrs) {
    checkImage(op, "gradient", gradient, true);
    axesOf(op, attrs.inputSize, attrs);
    const [batch, height, width, channels] = gradient.shape as [number, number, number, number];
    check(
      height === attrs.size[0] && width === attrs.size[1],
      op,
      () => `gradient ${show(gradient.shape)} must have the size ${show(attrs.size)} that was resized to.`,
    );
    const shape = [batch, ...attrs.inputSize, channels];
    return { outputs: { xGradient: spec(shape, gradient.dtype) }, params: { size: imageOf(shape).size } };
  },
  variants: [
    {
      name: "gather",
      passes(caps, { inputs, outputs, attrs }) {
        const from = imageOf(inputs.gradient.shape, inputs.gradient.dtype);
        const to = imageOf(outputs.xGradient.shape, outputs.xGradient.dtype);
        const [vertical, horizontal] = axesOf(op, attrs.inputSize, attrs);
        const element = wide(to.element);
        const loop = gridStride(
          caps,
          to.size,
          "params.size",
          /* wgsl */ `
    ${splitIndex(to)}
    let rows = outputsV(row);
    let columns = outputsH(column);
    var total = ${element}(0);
    for (var h = rows.x; h <= rows.y; h++) {
      var line = ${element}(0);
      for (var w = columns.x; w <= columns.y; w++) {
        let value = ${element}(gradient[((n * ${from.height}u + u32(h)) * ${from.width}u + u32(w)) * ${from.units}u + c]);
        line += totalH(u32(w), column) * value;
      }
      total += totalV(u32(h), row) * line;
    }
    xGradient[i] = ${to.element}(total);`,
        );
        return [
          {
            read: { gradient: from.element },
            write: { xGradient: to.element },
            ...loop,
            code: `${filterCode(attrs.mode)}${axisCode("V", vertical, attrs.mode)}${axisCode("H", horizontal, attrs.mode)}${loop.code}`,
          },
        ];
      },
    },
  ],
  reference({ gradient }, { inputs, outputs, attrs }) {
    const [batch, height, width, channels] = outputs.xGradient.shape as [number, number, number, number];
    const pixels = inputs.gradient.shape[1]! * inputs.gradient.shape[2]!;
    const xGradient = new Float64Array(sizeOf(outputs.xGradient.shape));
    forEachTap(axesOf(op, attrs.inputSize, attrs), attrs.mode, (output, input, weight) => {
      for (let n = 0; n < batch; n++)
        for (let c = 0; c < channels; c++)
          xGradient[(n * height * width + input) * channels + c]! +=
            weight * gradient[(n * pixels + output) * channels + c]!;
    });
    return { xGradient };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: 2 * tapCount(attrs.mode) ** 2 * sizeOf(inputs.gradient.shape),
    bytes: bytesOf(inputs.gradient) + bytesOf(outputs.xGradient),
  }),
  cases: [
    {
      name: "one element",
      inputs: { gradient: [1, 1, 1, 1] },
      attrs: { mode: "nearest", size: [1, 1], inputSize: [1, 1], alignCorners: false },
    },
    {
      name: "nearest, enlarged",
      inputs: { gradient: [2, 7, 11, 3] },
      attrs: { mode: "nearest", size: [7, 11], inputSize: [5, 3], alignCorners: false },
    },
    {
      name: "nearest, reduced: pixels that nobody reads",
      inputs: { gradient: [1, 3, 4, 4] },
      attrs: { mode: "nearest", size: [3, 4], inputSize: [7, 11], alignCorners: false },
    },
    {
      name: "bilinear by 2.5 and 0.7",
      inputs: { gradient: [2, 7, 7, 4] },
      attrs: {
        mode: "bilinear",
        size: [7, 7],
        inputSize: [3, 11],
        alignCorners: false,
        scale: [
          [2, 5],
          [10, 7],
        ],
      },
    },
    {
      name: "bicubic, enlarged",
      inputs: { gradient: [2, 13, 8, 3] },
      attrs: { mode: "bicubic", size: [13, 8], inputSize: [5, 3], alignCorners: false },
    },
    {
      name: "bicubic, reduced",
      inputs: { gradient: [1, 4, 5, 4] },
      attrs: { mode: "bicubic", size: [4, 5], inputSize: [9, 13], alignCorners: false },
    },
    {
      name: "bicubic, corners",
      inputs: { gradient: [1, 9, 5, 4] },
      attrs: { mode: "bicubic", size: [9, 5], inputSize: [4, 6], alignCorners: true },
    },
    {
      name: "bicubic, one pixel from many",
      inputs: { gradient: [1, 3, 5, 3] },
      attrs: { mode: "bicubic", size: [3, 5], inputSize: [1, 1], alignCorners: true },
    },
    {
      name: "bicubic, many pixels from one",
      inputs: { gradient: [1, 1, 1, 3] },
      attrs: { mode: "bicubic", size: [1, 1], inputSize: [3, 5], alignCorners: true },
    },
    {
      name: "bicubic, f16",
      inputs: { gradient: { shape: [1, 6, 7, 8], dtype: "f16" } },
      attrs: { mode: "bicubic", size: [6, 7], inputSize: [4, 3], alignCorners: false },
    },
    {
      name: "feature map to twice its size",
      inputs: { gradient: [2, 64, 64, 64] },
      attrs: { mode: "bicubic", size: [64, 64], inputSize: [32, 32], alignCorners: false },
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { gradient: [1, 4, 4, 3] },
      attrs: { mode: "bicubic", size: [8, 8], inputSize: [2, 2], alignCorners: true },
      message: /upsampleGradient: gradient \[1, 4, 4, 3\] must have the size \[8, 8\] that was resized to/,
    },
  ],
});
