/** The gradient of `averagePool`: each pixel sums the gradient of every window that covers it, divided by the window's count. */
import { checkImage, type Sides } from "../conv2d/geometry.ts";
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, type Shape, sameShape, show, sizeOf, spec } from "../spec.ts";
import { type AveragePoolAttrs, checkContiguous, commonDivisor, dividedCode, divisorOf } from "./averages.ts";
import { imageOf, splitIndex, wide } from "./images.ts";
import {
  forEachWindowPixel,
  overCoveringWindows,
  pooledShape,
  readsOf,
  type WindowAxes,
  windowAxes,
} from "./windows.ts";

/** Attributes of `averagePoolGradient`: the windows, and the size that was pooled. */
export type AveragePoolGradientAttrs = AveragePoolAttrs & {
  /** Height and width of the image that was pooled. */
  readonly inputSize: Sides;
};

const op = "averagePoolGradient";

/** Of the shape that was pooled. */
const axesOf = (x: Shape, attrs: AveragePoolGradientAttrs): WindowAxes => windowAxes(op, x, attrs);

/** Input gradient of y [N, OH, OW, C]; output xGradient [N, H, W, C] of its type. */
export const averagePoolGradient = defineKernel({
  name: op,
  inputs: ["gradient"],
  outputs: ["xGradient"],
  params: { size: "u32" },
  infer({ gradient }, attrs: AveragePoolGradientAttrs) {
    checkImage(op, "gradient", gradient, true);
    const shape = [gradient.shape[0]!, ...attrs.inputSize, gradient.shape[3]!];
    const axes = axesOf(shape, attrs);
    checkContiguous(op, axes);
    const pooled = pooledShape(shape, axes);
    check(
      sameShape(pooled, gradient.shape),
      op,
      () => `pooling ${show(shape)} gives ${show(pooled)}, but gradient is ${show(gradient.shape)}.`,
    );
    return {
      outputs: { xGradient: spec(shape, gradient.dtype) },
      params: { size: imageOf(shape).size },
    };
  },
  variants: [
    {
      name: "gather",
      passes(caps, { inputs, outputs, attrs }) {
        const from = imageOf(inputs.gradient.shape, inputs.gradient.dtype);
        const to = imageOf(outputs.xGradient.shape, outputs.xGradient.dtype);
        const axes = axesOf(outputs.xGradient.shape, attrs);
        const { countIncludePad = true } = attrs;
        const common = commonDivisor(axes, countIncludePad);
        const total = wide(to.element);
        const value = `${total}(gradient[((n * ${from.height}u + h) * ${from.width}u + w) * ${from.units}u + c])`;
        // A divisor common to all windows is applied at the end.
        const quotient = common === undefined ? dividedCode(axes, countIncludePad, value, "h", "w") : value;
        const result = common === undefined ? "total" : `total * f32(${1 / common})`;
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
    var total = ${total}(0);
    ${overCoveringWindows(axes, `total += ${quotient};`)}
    xGradient[i] = ${to.element}(${result});`,
            ),
          },
        ];
      },
    },
  ],
  reference({ gradient }, { outputs, attrs }) {
    const { shape } = outputs.xGradient;
    const xGradient = new Float64Array(sizeOf(shape));
    const axes = axesOf(shape, attrs);
    const { countIncludePad = true } = attrs;
    forEachWindowPixel(shape, axes, (yIndex, xIndex, row, column) => {
      xGradient[xIndex]! += gradient[yIndex]! / divisorOf(axes, countIncludePad, row, column);
    });
    return { xGradient };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: readsOf(sizeOf(inputs.gradient.shape), axesOf(outputs.xGradient.shape, attrs)),
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
      name: "sides that differ",
      inputs: { gradient: [2, 3, 7, 4] },
      attrs: { kernelSize: [2, 5], stride: [3, 2], padding: [1, 4, 0, 2], inputSize: [9, 11] },
    },
    {
      name: "padding does not count",
      inputs: { gradient: [1, 3, 4, 3] },
      attrs: { kernelSize: 3, stride: 2, padding: 1, countIncludePad: false, inputSize: [6, 7] },
    },
    {
      name: "rounded up",
      inputs: { gradient: [2, 4, 5, 4] },
      attrs: { kernelSize: 3, stride: 2, padding: 1, ceilMode: true, inputSize: [6, 9] },
    },
    {
      name: "adaptive",
      inputs: { gradient: [2, 3, 4, 4] },
      attrs: { size: [3, 4], inputSize: [7, 10] },
    },
    {
      name: "adaptive, from more pixels",
      inputs: { gradient: [1, 7, 5, 3] },
      attrs: { size: [7, 5], inputSize: [3, 5] },
    },
    {
      name: "f16",
      inputs: { gradient: { shape: [1, 6, 5, 8], dtype: "f16" } },
      attrs: { kernelSize: 3, stride: 1, padding: 1, countIncludePad: false, inputSize: [6, 5] },
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
      message:
        /averagePoolGradient: kernelSize must be a whole number of at least 1, or two of them, but is 0/,
    },
  ],
});
