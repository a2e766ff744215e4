/** A box of a tensor: `y[i, j, …] = x[start₀ + i·step₀, start₁ + j·step₁, …]`. Its gradient is `pad`. */
import { check } from "../errors.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, show, sizeOf, spec, stridesOf } from "../spec.ts";
import { coordinatesOf, flatIndex, walkParams, walkPass } from "./walk.ts";

/** Attributes of `slice`, one number an axis. */
export interface SliceAttrs {
  /** First element of each axis. */
  readonly start: readonly number[];
  /** Elements kept of each axis: the shape of `y`. */
  readonly size: readonly number[];
  /** Distance between them on each axis, negative to read backwards, never 0; default 1. */
  readonly step?: readonly number[];
}

/** Input x of any type; output y of shape `size`. */
export const slice = defineKernel({
  name: "slice",
  inputs: ["x"],
  outputs: ["y"],
  params: walkParams,
  infer({ x }, { start, size, step = x.shape.map(() => 1) }: SliceAttrs) {
    const rank = x.shape.length;
    check(
      start.length === rank && size.length === rank && step.length === rank,
      "slice",
      () =>
        `start ${show(start)}, size ${show(size)} and step ${show(step)} must have one number for each axis of x ${show(x.shape)}.`,
    );
    x.shape.forEach((extent, axis) => {
      const [first, count, by] = [start[axis]!, size[axis]!, step[axis]!];
      const last = first + (count - 1) * by;
      const whole = [first, count, by].every(Number.isInteger) && count >= 0 && by !== 0;
      check(
        whole && (count === 0 || (Math.min(first, last) >= 0 && Math.max(first, last) < extent)),
        "slice",
        () =>
          `${count} elements from ${first} in steps of ${by} do not lie in axis ${axis} of x ${show(x.shape)}.`,
      );
    });
    return {
      outputs: { y: spec(size, x.dtype) },
      params: { size: sizeOf(size), offset: sizeOf(size) && flatIndex(start, stridesOf(x.shape)) },
    };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs, attrs, params }) {
        const strides = stridesOf(inputs.x.shape);
        const axes = attrs.size.map((extent, axis) => ({
          extent,
          stride: strides[axis]! * (attrs.step?.[axis] ?? 1),
        }));
        return [walkPass(caps, inputs.x.dtype, axes, params)];
      },
    },
  ],
  reference({ x }, { inputs, attrs }) {
    const strides = stridesOf(inputs.x.shape);
    const y = new Float64Array(sizeOf(attrs.size));
    let i = 0;
    for (const at of coordinatesOf(attrs.size)) {
      const source = at.map((c, axis) => attrs.start[axis]! + c * (attrs.step?.[axis] ?? 1));
      y[i++] = x[flatIndex(source, strides)]!;
    }
    return { y };
  },
  cost: ({ outputs }) => ({ flops: 0, bytes: 2 * bytesOf(outputs.y) }),
  cases: [
    { name: "a scalar", inputs: { x: [] }, attrs: { start: [], size: [] }, tolerance: 0 },
    { name: "one element", inputs: { x: [3] }, attrs: { start: [2], size: [1] }, tolerance: 0 },
    {
      name: "four axes, odd sizes",
      inputs: { x: [3, 7, 5, 11] },
      attrs: { start: [1, 2, 0, 3], size: [2, 4, 3, 7] },
      tolerance: 0,
    },
    {
      name: "steps",
      inputs: { x: [9, 10, 8] },
      attrs: { start: [1, 0, 1], size: [4, 4, 4], step: [2, 3, 2] },
      tolerance: 0,
    },
    {
      name: "a multiple of four at an odd start",
      inputs: { x: [5, 6, 10] },
      attrs: { start: [0, 1, 1], size: [5, 4, 8] },
      tolerance: 0,
    },
    {
      name: "backwards, prime sizes",
      inputs: { x: [7, 11] },
      attrs: { start: [6, 9], size: [7, 5], step: [-1, -2] },
      tolerance: 0,
    },
    {
      name: "backwards, by four",
      inputs: { x: [3, 4, 8] },
      attrs: { start: [0, 3, 7], size: [3, 4, 8], step: [1, -1, -1] },
      tolerance: 0,
    },
    {
      name: "backwards along an outer axis",
      inputs: { x: { shape: [5, 3, 4], dtype: "f16" } },
      attrs: { start: [4, 0, 0], size: [5, 3, 4], step: [-1, 1, 1] },
      tolerance: 0,
    },
    {
      name: "nothing of an axis",
      inputs: { x: [3, 4] },
      attrs: { start: [1, 4], size: [2, 0] },
      tolerance: 0,
    },
    {
      name: "i32",
      inputs: { x: { shape: [4, 8], dtype: "i32" } },
      attrs: { start: [0, 4], size: [4, 4] },
    },
    {
      name: "bool",
      inputs: { x: { shape: [4, 7], dtype: "bool" } },
      attrs: { start: [1, 1], size: [2, 3] },
    },
    {
      name: "f16, odd start",
      inputs: { x: { shape: [4, 9], dtype: "f16" } },
      attrs: { start: [1, 1], size: [2, 8] },
      tolerance: 0,
    },
    {
      name: "half of the channels",
      inputs: { x: [2, 32, 32, 128] },
      attrs: { start: [0, 0, 0, 64], size: [2, 32, 32, 64] },
      tolerance: 0,
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [2, 3] },
      attrs: { start: [0], size: [2] },
      message:
        /slice: start \[0\], size \[2\] and step \[1, 1\] must have one number for each axis of x \[2, 3\]/,
    },
    {
      inputs: { x: [2, 3] },
      attrs: { start: [0, 1], size: [2, 3] },
      message: /slice: 3 elements from 1 in steps of 1 do not lie in axis 1 of x \[2, 3\]/,
    },
    {
      inputs: { x: [2, 3] },
      attrs: { start: [1, 1], size: [2, 3], step: [-1, -1] },
      message: /slice: 3 elements from 1 in steps of -1 do not lie in axis 1 of x \[2, 3\]/,
    },
    {
      inputs: { x: [2, 3] },
      attrs: { start: [0, 0], size: [2, 2], step: [1, 0] },
      message: /slice: 2 elements from 0 in steps of 0 do not lie in axis 1/,
    },
  ],
});
