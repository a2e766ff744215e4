/** The gradient of `averagePool`: each pixel receives 1/k² of the gradient of every window that covers it. */
import { checkImage } from "../conv2d/geometry.ts";
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, sameShape, show, sizeOf, spec } from "../spec.ts";
import { imageOf, splitIndex } from "./images.ts";
import { checkWindows, forEachWindowPixel, pooledShape, type Windows } from "./windows.ts";

/** Attributes of `averagePoolGradient`: the windows, and the size that was pooled. */
export interface AveragePoolGradientAttrs extends Windows {
  /** Height and width of the image that was pooled. */
  readonly inputSize: readonly [height: number, width: number];
}

/** Input gradient of y [N, OH, OW, C]; output xGradient [N, H, W, C]. */
export const averagePoolGradient = defineKernel({
  name: "averagePoolGradient",
  inputs: ["gradient"],
  outputs: ["xGradient"],
  params: { size: "u32" },
  infer({ gradient }, attrs: AveragePoolGradientAttrs) {
    const op = "averagePoolGradient";
    checkImage(op, "gradient", gradient);
    checkWindows(op, attrs);
    const shape = [gradient.shape[0]!, ...attrs.inputSize, gradient.shape[3]!];
    const pooled = pooledShape(op, shape, attrs);
    check(
      sameShape(pooled, gradient.shape),
      op,
      `pooling ${show(shape)} gives ${show(pooled)}, but gradient is ${show(gradient.shape)}.`,
    );
    return {
      outputs: { xGradient: spec(shape) },
      params: { size: imageOf(shape).size },
    };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs, outputs, attrs: { kernelSize, stride, padding } }) {
        const from = imageOf(inputs.gradient.shape);
        const to = imageOf(outputs.xGradient.shape);
        return [
          {
            read: { gradient: from.element },
            write: { xGradient: to.element },
            ...gridStride(
              caps,
              to.size,
              "params.size",
              /* wgsl */ `
    ${splitIndex(to)}
    var total = ${to.element}(0);
    for (var k = 0u; k < ${kernelSize}u; k++) {
      let h = row + ${padding}u - k;
      if (h % ${stride}u != 0u || h / ${stride}u >= ${from.height}u) { continue; }
      for (var j = 0u; j < ${kernelSize}u; j++) {
        let w = column + ${padding}u - j;
        if (w % ${stride}u != 0u || w / ${stride}u >= ${from.width}u) { continue; }
        total += gradient[((n * ${from.height}u + h / ${stride}u) * ${from.width}u + w / ${stride}u) * ${from.units}u + c];
      }
    }
    xGradient[i] = total * f32(${1 / kernelSize ** 2});`,
            ),
          },
        ];
      },
    },
  ],
  reference({ gradient }, { inputs, outputs, attrs }) {
    const xGradient = new Float64Array(sizeOf(outputs.xGradient.shape));
    forEachWindowPixel(outputs.xGradient.shape, inputs.gradient.shape, attrs, (yIndex, xIndex) => {
      xGradient[xIndex]! += gradient[yIndex]! / attrs.kernelSize ** 2;
    });
    return { xGradient };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: sizeOf(inputs.gradient.shape) * attrs.kernelSize ** 2,
    bytes: bytesOf(inputs.gradient) + bytesOf(outputs.xGradient),
  }),
  cases: [
    {
      name: "one element",
      inputs: { gradient: [1, 1, 1, 1] },
      attrs: { kernelSize: 1, stride: 1, padding: 0, inputSize: [1, 1] },
    },
    {
      name: "3×3, prime sizes",
      inputs: { gradient: [2, 7, 11, 5] },
      attrs: { kernelSize: 3, stride: 1, padding: 1, inputSize: [7, 11] },
    },
    {
      name: "3×3 without padding",
      inputs: { gradient: [1, 5, 4, 3] },
      attrs: { kernelSize: 3, stride: 1, padding: 0, inputSize: [7, 6] },
    },
    {
      name: "3×3, stride 2, channels by four",
      inputs: { gradient: [2, 5, 5, 8] },
      attrs: { kernelSize: 3, stride: 2, padding: 1, inputSize: [9, 10] },
    },
    {
      name: "2×2, stride 3: pixels in no window",
      inputs: { gradient: [1, 3, 6, 3] },
      attrs: { kernelSize: 2, stride: 3, padding: 0, inputSize: [8, 18] },
    },
    {
      name: "patches of layer 2",
      inputs: { gradient: [1, 32, 32, 512] },
      attrs: { kernelSize: 3, stride: 1, padding: 1, inputSize: [32, 32] },
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { gradient: [1, 4, 4, 1] },
      attrs: { kernelSize: 3, stride: 1, padding: 1, inputSize: [5, 5] },
      message:
        /averagePoolGradient: pooling \[1, 5, 5, 1\] gives \[1, 5, 5, 1\], but gradient is \[1, 4, 4, 1\]/,
    },
    {
      inputs: { gradient: [1, 4, 4, 1] },
      attrs: { kernelSize: 0, stride: 1, padding: 0, inputSize: [5, 5] },
      message: /averagePoolGradient: kernelSize 0 and stride 1 must be whole numbers of at least 1/,
    },
  ],
});
