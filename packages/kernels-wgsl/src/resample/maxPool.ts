/** Maximum over square windows (PyTorch's `max_pool2d`): pixels of the padding never win. */
import { checkImage } from "../conv2d/geometry.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, sizeOf, spec } from "../spec.ts";
import { imageOf } from "./images.ts";
import { argmaxOfWindows, checkWindows, pooledShape, type Windows, windowPass } from "./windows.ts";

/** Attributes of `maxPool` and its gradient. */
export interface MaxPoolAttrs extends Windows {
  /** Whether a last window may reach past the padding: the output's size is rounded up instead of down. */
  readonly ceil: boolean;
}

/** Input x [N, H, W, C]; output y [N, OH, OW, C], sizes as those of `averagePool`, rounded up with `ceil`. */
export const maxPool = defineKernel({
  name: "maxPool",
  inputs: ["x"],
  outputs: ["y"],
  params: { size: "u32" },
  infer({ x }, attrs: MaxPoolAttrs) {
    checkImage("maxPool", "x", x);
    checkWindows("maxPool", attrs);
    const shape = pooledShape("maxPool", x.shape, attrs, attrs.ceil);
    return { outputs: { y: spec(shape) }, params: { size: imageOf(shape).size } };
  },
  variants: [
    {
      name: "direct",
      passes: (caps, { inputs, outputs, attrs }) => [
        windowPass(caps, inputs.x.shape, outputs.y.shape, attrs, {
          start: -3.4e38,
          fold: "max(total, value)",
          result: "total",
        }),
      ],
    },
  ],
  reference({ x }, { inputs, outputs, attrs }) {
    const winners = argmaxOfWindows(x, inputs.x.shape, outputs.y.shape, attrs);
    return { y: Float64Array.from(winners, (index) => x[index]!) };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: sizeOf(outputs.y.shape) * attrs.kernelSize ** 2,
    bytes: bytesOf(inputs.x) + bytesOf(outputs.y),
  }),
  cases: [
    {
      name: "one element",
      inputs: { x: [1, 1, 1, 1] },
      attrs: { kernelSize: 1, stride: 1, padding: 0, ceil: false },
      tolerance: 0,
    },
    {
      name: "all negative, padded",
      inputs: { x: { shape: [1, 4, 5, 3], fill: (_, uniform) => -1 - uniform() } },
      attrs: { kernelSize: 3, stride: 2, padding: 1, ceil: false },
      tolerance: 0,
    },
    {
      name: "prime sizes",
      inputs: { x: [2, 7, 11, 5] },
      attrs: { kernelSize: 3, stride: 1, padding: 0, ceil: false },
      tolerance: 0,
    },
    {
      name: "rounded up",
      inputs: { x: [2, 8, 6, 4] },
      attrs: { kernelSize: 3, stride: 2, padding: 0, ceil: true },
      tolerance: 0,
    },
    {
      name: "rounded up, a last window that would hold no pixel",
      inputs: { x: [1, 3, 5, 2] },
      attrs: { kernelSize: 2, stride: 3, padding: 1, ceil: true },
      tolerance: 0,
    },
    {
      name: "stem of a ResNet",
      inputs: { x: [1, 64, 64, 64] },
      attrs: { kernelSize: 3, stride: 2, padding: 1, ceil: false },
      tolerance: 0,
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [5, 5, 4] },
      attrs: { kernelSize: 3, stride: 1, padding: 1, ceil: false },
      message: /maxPool: x must have 4 axes but is \[5, 5, 4\]/,
    },
    {
      inputs: { x: [1, 5, 5, 4] },
      attrs: { kernelSize: 3, stride: 1, padding: 2, ceil: false },
      message: /maxPool: padding 2 must be a whole number of at least 0 and at most half of kernelSize 3/,
    },
    {
      inputs: { x: [1, 5, 2, 4] },
      attrs: { kernelSize: 3, stride: 1, padding: 0, ceil: false },
      message: /maxPool: a window of 3×3 is larger than x \[1, 5, 2, 4\] with padding 0/,
    },
  ],
});
