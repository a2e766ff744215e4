/**
 * The adjoint of `maxPoolGradient` in its gradient: of each window, what `values` has at the pixel that wins in x. It is what
 * second derivatives of `maxPool` are made of.
 */
import { checkImage } from "../conv2d/geometry.ts";
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, sameShape, show, sizeOf, spec } from "../spec.ts";
import { imageOf } from "./images.ts";
import type { MaxPoolAttrs } from "./maxPool.ts";
import { pooledShape, readsOf, windowAxes } from "./windows.ts";
import { positionOf, winnerCode, winnersOf } from "./winners.ts";

const op = "maxPoolGather";

/** Inputs x [N, H, W, C] as it was pooled and values of the same shape; output y [N, OH, OW, C] of the type of values. */
export const maxPoolGather = defineKernel({
  name: op,
  inputs: ["x", "values"],
  outputs: ["y"],
  params: { windows: "u32", lowest: "f32" },
  infer({ x, values }, attrs: MaxPoolAttrs) {
    checkImage(op, "x", x, true);
    checkImage(op, "values", values, true);
    check(
      sameShape(x.shape, values.shape),
      op,
      () => `values must be ${show(x.shape)} like x but is ${show(values.shape)}.`,
    );
    const pooled = pooledShape(x.shape, windowAxes(op, x.shape, attrs));
    return {
      outputs: { y: spec(pooled, values.dtype) },
      params: { windows: imageOf(pooled).size, lowest: Number.NEGATIVE_INFINITY },
    };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs, outputs, attrs }) {
        const image = imageOf(inputs.x.shape, inputs.x.dtype);
        const values = imageOf(inputs.values.shape, inputs.values.dtype);
        const pooled = imageOf(outputs.y.shape, outputs.y.dtype);
        const lanes = positionOf(image) === "u32" ? [] : [0, 1, 2, 3];
        const first = `n * ${image.height * image.width}u`;
        const at = (lane: string): string => `(${first} + select(at${lane}, 0u, at${lane} == 0xffffffffu))`;
        const picked = (lane: number): string =>
          `select(${values.element}()[0], values[${at(`[${lane}]`)} * ${image.units}u + c][${lane}], at[${lane}] != 0xffffffffu)`;
        const value = lanes.length
          ? `${values.element}(${lanes.map(picked).join(", ")})`
          : `select(${values.element}(0), values[${at("")} * ${image.units}u + c], at != 0xffffffffu)`;
        return [
          {
            read: { x: image.element, values: values.element },
            write: { y: pooled.element },
            ...gridStride(
              caps,
              pooled.size,
              "params.windows",
              `${winnerCode(image, pooled, windowAxes(op, inputs.x.shape, attrs))}\n    y[i] = ${value};`,
            ),
          },
        ];
      },
    },
  ],
  reference({ x, values }, { inputs, attrs }) {
    const winners = winnersOf(x, inputs.x.shape, windowAxes(op, inputs.x.shape, attrs));
    return { y: Float64Array.from(winners, (index) => (index < 0 ? 0 : values[index]!)) };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: readsOf(sizeOf(outputs.y.shape), windowAxes(op, inputs.x.shape, attrs)),
    bytes: bytesOf(inputs.x) + 2 * bytesOf(outputs.y),
  }),
  cases: [
    {
      name: "one element",
      inputs: { x: [1, 1, 1, 1], values: [1, 1, 1, 1] },
      attrs: { kernelSize: 1, stride: 1, padding: 0 },
    },
    {
      name: "ties and NaN",
      inputs: {
        x: {
          shape: [2, 6, 7, 3],
          fill: (index, uniform) => (index % 23 === 4 ? Number.NaN : Math.floor(2 * uniform())),
        },
        values: [2, 6, 7, 3],
      },
      attrs: { kernelSize: 3, stride: 2, padding: 1 },
    },
    {
      name: "sides that differ, gaps between taps",
      inputs: { x: [2, 11, 9, 4], values: [2, 11, 9, 4] },
      attrs: { kernelSize: [2, 3], stride: [3, 2], padding: [1, 2, 0, 4], dilation: [4, 2] },
    },
    {
      name: "a window without a pixel",
      inputs: { x: [1, 3, 1, 2], values: [1, 3, 1, 2] },
      attrs: { kernelSize: [1, 2], stride: 1, padding: [0, 1, 0, 2], dilation: [1, 3] },
    },
    { name: "adaptive", inputs: { x: [1, 7, 10, 4], values: [1, 7, 10, 4] }, attrs: { size: [3, 4] } },
    {
      name: "f16",
      inputs: {
        x: { shape: [1, 6, 5, 8], dtype: "f16" },
        values: { shape: [1, 6, 5, 8], dtype: "f16" },
      },
      attrs: { kernelSize: 3, stride: 2, padding: 1 },
    },
    {
      name: "stem of a ResNet",
      inputs: { x: [1, 64, 64, 64], values: [1, 64, 64, 64] },
      attrs: { kernelSize: 3, stride: 2, padding: 1 },
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [1, 4, 4, 1], values: [1, 2, 2, 1] },
      attrs: { kernelSize: 2, stride: 2, padding: 0 },
      message: /maxPoolGather: values must be \[1, 4, 4, 1\] like x but is \[1, 2, 2, 1\]/,
    },
    {
      inputs: { x: [1, 4, 4, 1], values: { shape: [1, 4, 4, 1], dtype: "i32" } },
      attrs: { kernelSize: 2, stride: 2, padding: 0 },
      message: /maxPoolGather: values must be f32 or f16 but is i32/,
    },
  ],
});
