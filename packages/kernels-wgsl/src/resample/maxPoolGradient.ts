/** The gradient of `maxPool`: each window gives its gradient to its winner, the first maximum (smallest row, then column). */
import { checkImage } from "../conv2d/geometry.ts";
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, sameShape, show, sizeOf, spec } from "../spec.ts";
import { imageOf, splitIndex, wide } from "./images.ts";
import type { MaxPoolAttrs } from "./maxPool.ts";
import { overCoveringWindows, pooledShape, readsOf, windowAxes } from "./windows.ts";
import { positionOf, winnerCode, winnersOf } from "./winners.ts";

const op = "maxPoolGradient";

/** Inputs x [N, H, W, C] as it was pooled and gradient of y [N, OH, OW, C]; output xGradient [N, H, W, C] of gradient's type. */
export const maxPoolGradient = defineKernel({
  name: op,
  inputs: ["x", "gradient"],
  outputs: ["xGradient"],
  params: { size: "u32", windows: "u32", lowest: "f32" },
  infer({ x, gradient }, attrs: MaxPoolAttrs) {
    checkImage(op, "x", x, true);
    checkImage(op, "gradient", gradient, true);
    const pooled = pooledShape(x.shape, windowAxes(op, x.shape, attrs));
    check(
      sameShape(pooled, gradient.shape),
      op,
      () => `pooling x ${show(x.shape)} gives ${show(pooled)}, but gradient is ${show(gradient.shape)}.`,
    );
    return {
      outputs: { xGradient: spec(x.shape, gradient.dtype) },
      params: {
        size: imageOf(x.shape).size,
        windows: imageOf(pooled).size,
        lowest: Number.NEGATIVE_INFINITY,
      },
    };
  },
  variants: [
    {
      // First where each window's maximum is, then a pixel collects from the windows that it won.
      name: "gather",
      scratch: (_caps, { inputs }) => ({ winner: spec(inputs.gradient.shape, "u32") }),
      passes(caps, { inputs, attrs }) {
        const { x, gradient } = inputs;
        const image = imageOf(x.shape, x.dtype);
        const pooled = imageOf(gradient.shape, gradient.dtype);
        const axes = windowAxes(op, x.shape, attrs);
        const position = positionOf(image);
        const total = wide(pooled.element);
        return [
          {
            label: "winner",
            read: { x: image.element },
            write: { winner: position },
            ...gridStride(
              caps,
              pooled.size,
              "params.windows",
              `${winnerCode(image, pooled, axes)}\n    winner[i] = at;`,
            ),
          },
          {
            label: "collect",
            read: { winner: position, gradient: pooled.element },
            write: { xGradient: pooled.element },
            ...gridStride(
              caps,
              image.size,
              "params.size",
              /* wgsl */ `
    ${splitIndex(image)}
    let here = ${position}(row * ${image.width}u + column);
    var total = ${total}(0);
    ${overCoveringWindows(
      axes,
      /* wgsl */ `let at = ((n * ${pooled.height}u + h) * ${pooled.width}u + w) * ${pooled.units}u + c;
        total += select(${total}(0), ${total}(gradient[at]), winner[at] == here);`,
    )}
    xGradient[i] = ${pooled.element}(total);`,
            ),
          },
        ];
      },
    },
  ],
  reference({ x, gradient }, { inputs, attrs }) {
    const { shape } = inputs.x;
    const xGradient = new Float64Array(sizeOf(shape));
    winnersOf(x, shape, windowAxes(op, shape, attrs)).forEach((xIndex, yIndex) => {
      if (xIndex >= 0) xGradient[xIndex]! += gradient[yIndex]!;
    });
    return { xGradient };
  },
  cost: ({ inputs, attrs }) => {
    const windows = sizeOf(inputs.gradient.shape);
    return {
      flops: readsOf(windows, windowAxes(op, inputs.x.shape, attrs)) + windows,
      bytes: 2 * bytesOf(inputs.x) + bytesOf(inputs.gradient),
    };
  },
  cases: [
    {
      name: "one element",
      inputs: { x: [1, 1, 1, 1], gradient: [1, 1, 1, 1] },
      attrs: { kernelSize: 1, stride: 1, padding: 0 },
    },
    {
      name: "ties: the first one wins",
      inputs: {
        x: { shape: [2, 6, 7, 3], fill: (_, uniform) => Math.floor(2 * uniform()) },
        gradient: [2, 3, 4, 3],
      },
      attrs: { kernelSize: 3, stride: 2, padding: 1 },
    },
    {
      name: "overlapping windows, prime sizes",
      inputs: { x: [2, 7, 11, 5], gradient: [2, 5, 9, 5] },
      attrs: { kernelSize: 3, stride: 1, padding: 0 },
    },
    {
      name: "rounded up",
      inputs: { x: [2, 8, 6, 4], gradient: [2, 4, 3, 4] },
      attrs: { kernelSize: 3, stride: 2, padding: 0, ceilMode: true },
    },
    {
      name: "pixels in no window",
      inputs: { x: [1, 8, 8, 4], gradient: [1, 3, 3, 4] },
      attrs: { kernelSize: 2, stride: 3, padding: 0 },
    },
    {
      name: "NaN takes it, the last of several",
      inputs: {
        x: { shape: [1, 7, 6, 4], fill: (index, uniform) => (index % 11 === 3 ? Number.NaN : uniform()) },
        gradient: [1, 5, 4, 4],
      },
      attrs: { kernelSize: 3, stride: 1, padding: 0 },
    },
    {
      name: "infinities, odd channels",
      inputs: {
        x: {
          shape: [1, 4, 6, 3],
          fill: (index, uniform) => (index % 3 ? Number.NEGATIVE_INFINITY : uniform()),
        },
        gradient: [1, 2, 3, 3],
      },
      attrs: { kernelSize: 2, stride: 2, padding: 0 },
    },
    {
      name: "sides that differ, gaps between taps",
      inputs: { x: [2, 11, 9, 4], gradient: [2, 3, 6, 4] },
      attrs: { kernelSize: [2, 3], stride: [3, 2], padding: [1, 2, 0, 4], dilation: [4, 2] },
    },
    { name: "adaptive", inputs: { x: [2, 7, 10, 4], gradient: [2, 3, 4, 4] }, attrs: { size: [3, 4] } },
    {
      name: "adaptive, to more pixels",
      inputs: { x: [1, 3, 5, 3], gradient: [1, 7, 5, 3] },
      attrs: { size: [7, 5] },
    },
    {
      name: "f16",
      inputs: {
        x: { shape: [1, 6, 5, 8], dtype: "f16" },
        gradient: { shape: [1, 3, 3, 8], dtype: "f16" },
      },
      attrs: { kernelSize: 3, stride: 2, padding: 1 },
    },
    {
      name: "stem of a ResNet",
      inputs: { x: [1, 64, 64, 64], gradient: [1, 32, 32, 64] },
      attrs: { kernelSize: 3, stride: 2, padding: 1 },
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [1, 4, 4, 1], gradient: [1, 3, 3, 1] },
      attrs: { kernelSize: 2, stride: 2, padding: 0 },
      message:
        /maxPoolGradient: pooling x \[1, 4, 4, 1\] gives \[1, 2, 2, 1\], but gradient is \[1, 3, 3, 1\]/,
    },
    {
      inputs: { x: [1, 4, 4, 1], gradient: { shape: [1, 2, 2, 1], dtype: "i32" } },
      attrs: { kernelSize: 2, stride: 2, padding: 0 },
      message: /maxPoolGradient: gradient must be f32 or f16 but is i32/,
    },
  ],
});
