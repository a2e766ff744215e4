/** The gradient of `resizeBilinear`. Each input pixel collects from the output pixels that read it: no atomics. */
import { checkImage } from "../conv2d/geometry.ts";
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, show, sizeOf, spec } from "../spec.ts";
import { checkSize, forEachCorner, samplingCode, samplingConstant, samplingOf } from "./bilinear.ts";
import { imageOf, splitIndex } from "./images.ts";
import type { ResizeBilinearAttrs } from "./resizeBilinear.ts";

/** Attributes of `resizeBilinearGradient`: those of the resizing, and the size that it was given. */
export interface ResizeBilinearGradientAttrs extends ResizeBilinearAttrs {
  /** Height and width of the image that was resized. */
  readonly inputSize: readonly [height: number, width: number];
}

/** Input gradient of y [N, size[0], size[1], C]; output xGradient [N, H, W, C]. */
export const resizeBilinearGradient = defineKernel({
  name: "resizeBilinearGradient",
  inputs: ["gradient"],
  outputs: ["xGradient"],
  params: { size: "u32" },
  infer({ gradient }, { size, inputSize }: ResizeBilinearGradientAttrs) {
    const op = "resizeBilinearGradient";
    checkImage(op, "gradient", gradient);
    checkSize(op, "size", size);
    checkSize(op, "inputSize", inputSize);
    const [batch, height, width, channels] = gradient.shape as [number, number, number, number];
    check(
      height === size[0] && width === size[1],
      op,
      () => `gradient ${show(gradient.shape)} must have the size ${show(size)} that was resized to.`,
    );
    const shape = [batch, ...inputSize, channels];
    return { outputs: { xGradient: spec(shape) }, params: { size: imageOf(shape).size } };
  },
  variants: [
    {
      name: "gather",
      passes(caps, { inputs, outputs, attrs }) {
        const from = imageOf(inputs.gradient.shape);
        const to = imageOf(outputs.xGradient.shape);
        const vertical = samplingOf(to.height, from.height, attrs.alignCorners);
        const horizontal = samplingOf(to.width, from.width, attrs.alignCorners);
        const loop = gridStride(
          caps,
          to.size,
          "params.size",
          /* wgsl */ `
    ${splitIndex(to)}
    let bottom = min(lastOutput(row, vertical), ${from.height - 1}u);
    let right = min(lastOutput(column, horizontal), ${from.width - 1}u);
    var total = ${to.element}(0);
    for (var h = firstOutput(row, vertical); h <= bottom; h++) {
      var line = ${to.element}(0);
      for (var w = firstOutput(column, horizontal); w <= right; w++) {
        let value = gradient[((n * ${from.height}u + h) * ${from.width}u + w) * ${from.units}u + c];
        line += weightOf(w, column, horizontal) * value;
      }
      total += weightOf(h, row, vertical) * line;
    }
    xGradient[i] = total;`,
        );
        return [
          {
            read: { gradient: from.element },
            write: { xGradient: to.element },
            ...loop,
            code: /* wgsl */ `
${samplingCode}
const vertical = ${samplingConstant(vertical)};
const horizontal = ${samplingConstant(horizontal)};

// Bounds of the output pixels less than one pixel away from an input pixel; those beyond weigh nothing.
fn firstOutput(pixel: u32, s: Sampling) -> u32 {
  return u32(max((i32(pixel) - 1) * s.denominator - s.offset, 0) / s.slope);
}
fn lastOutput(pixel: u32, s: Sampling) -> u32 {
  return u32(max((i32(pixel) + 1) * s.denominator - s.offset, 0) / s.slope);
}
fn weightOf(output: u32, pixel: u32, s: Sampling) -> f32 {
  let distance = abs(positionOf(output, s) - i32(pixel) * s.denominator);
  return f32(max(s.denominator - distance, 0)) / f32(s.denominator);
}
${loop.code}`,
          },
        ];
      },
    },
  ],
  reference({ gradient }, { inputs, outputs, attrs }) {
    const [batch, height, width, channels] = outputs.xGradient.shape as [number, number, number, number];
    const pixels = inputs.gradient.shape[1]! * inputs.gradient.shape[2]!;
    const xGradient = new Float64Array(sizeOf(outputs.xGradient.shape));
    forEachCorner(attrs.inputSize, attrs.size, attrs.alignCorners, (output, input, weight) => {
      for (let n = 0; n < batch; n++)
        for (let c = 0; c < channels; c++)
          xGradient[(n * height * width + input) * channels + c]! +=
            weight * gradient[(n * pixels + output) * channels + c]!;
    });
    return { xGradient };
  },
  cost: ({ inputs, outputs }) => ({
    flops: 8 * sizeOf(inputs.gradient.shape),
    bytes: bytesOf(inputs.gradient) + bytesOf(outputs.xGradient),
  }),
  cases: [
    {
      name: "one element",
      inputs: { gradient: [1, 1, 1, 1] },
      attrs: { size: [1, 1], inputSize: [1, 1], alignCorners: false },
    },
    {
      name: "one pixel from many",
      inputs: { gradient: [2, 3, 5, 3] },
      attrs: { size: [3, 5], inputSize: [1, 1], alignCorners: true },
    },
    {
      name: "one area from many",
      inputs: { gradient: [2, 3, 5, 3] },
      attrs: { size: [3, 5], inputSize: [1, 1], alignCorners: false },
    },
    {
      name: "many pixels from one",
      inputs: { gradient: [2, 1, 1, 3] },
      attrs: { size: [1, 1], inputSize: [3, 5], alignCorners: true },
    },
    {
      name: "many areas from one",
      inputs: { gradient: [2, 1, 1, 3] },
      attrs: { size: [1, 1], inputSize: [3, 5], alignCorners: false },
    },
    {
      name: "enlarged, corners",
      inputs: { gradient: [2, 11, 13, 3] },
      attrs: { size: [11, 13], inputSize: [5, 7], alignCorners: true },
    },
    {
      name: "enlarged, edges",
      inputs: { gradient: [2, 11, 13, 4] },
      attrs: { size: [11, 13], inputSize: [5, 7], alignCorners: false },
    },
    {
      name: "reduced, corners",
      inputs: { gradient: [1, 5, 4, 5] },
      attrs: { size: [5, 4], inputSize: [17, 13], alignCorners: true },
    },
    {
      name: "reduced, edges",
      inputs: { gradient: [1, 5, 4, 8] },
      attrs: { size: [5, 4], inputSize: [19, 29], alignCorners: false },
    },
    {
      name: "distance map of layer 2",
      inputs: { gradient: [2, 256, 256, 1] },
      attrs: { size: [256, 256], inputSize: [32, 32], alignCorners: true },
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { gradient: [1, 4, 4, 3] },
      attrs: { size: [8, 8], inputSize: [2, 2], alignCorners: true },
      message:
        /resizeBilinearGradient: gradient \[1, 4, 4, 3\] must have the size \[8, 8\] that was resized to/,
    },
    {
      inputs: { gradient: [1, 4, 4, 3] },
      attrs: { size: [4, 4], inputSize: [2, 1.5], alignCorners: true },
      message: /resizeBilinearGradient: inputSize \[2, 1.5\] must be a height and a width/,
    },
  ],
});
