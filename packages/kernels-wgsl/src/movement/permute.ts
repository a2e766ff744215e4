/** Reorders axes: axis `d` of `y` is axis `order[d]` of `x`. Its gradient is `permute` by the inverse order. */
import { check } from "../errors.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, type Shape, show, sizeOf, spec, stridesOf } from "../spec.ts";
import { type Axis, coordinatesOf, flatIndex, walkParams, walkPass } from "./walk.ts";

/** Attributes of `permute`. */
export interface PermuteAttrs {
  /** A permutation of 0 … rank − 1; `[0, 3, 1, 2]` turns channels-last images into channels-first. */
  readonly order: readonly number[];
}

const axesOf = (shape: Shape, order: readonly number[]): Axis[] => {
  const strides = stridesOf(shape);
  return order.map((axis) => ({ extent: shape[axis]!, stride: strides[axis]! }));
};

/** Input x of any type; output y with the extents of x in the new order. */
export const permute = defineKernel({
  name: "permute",
  inputs: ["x"],
  outputs: ["y"],
  params: walkParams,
  infer({ x }, { order }: PermuteAttrs) {
    const sorted = [...order].sort((a, b) => a - b);
    check(
      order.length === x.shape.length && sorted.every((axis, position) => axis === position),
      "permute",
      () => `order ${show(order)} must name each of the ${x.shape.length} axes of x ${show(x.shape)} once.`,
    );
    const shape = order.map((axis) => x.shape[axis]!);
    return { outputs: { y: spec(shape, x.dtype) }, params: { size: sizeOf(shape), offset: 0 } };
  },
  variants: [
    {
      name: "direct",
      passes: (caps, { inputs: { x }, attrs, params }) => [
        walkPass(caps, x.dtype, axesOf(x.shape, attrs.order), params),
      ],
    },
  ],
  reference({ x }, { inputs, outputs, attrs }) {
    const strides = axesOf(inputs.x.shape, attrs.order).map(({ stride }) => stride);
    const y = new Float64Array(x.length);
    let i = 0;
    for (const at of coordinatesOf(outputs.y.shape)) y[i++] = x[flatIndex(at, strides)]!;
    return { y };
  },
  cost: ({ inputs }) => ({ flops: 0, bytes: 2 * bytesOf(inputs.x) }),
  cases: [
    { name: "a scalar", inputs: { x: [] }, attrs: { order: [] }, tolerance: 0 },
    { name: "identity", inputs: { x: [3, 5] }, attrs: { order: [0, 1] }, tolerance: 0 },
    { name: "transpose, prime sizes", inputs: { x: [7, 11] }, attrs: { order: [1, 0] }, tolerance: 0 },
    { name: "five axes", inputs: { x: [2, 3, 4, 5, 6] }, attrs: { order: [3, 0, 4, 2, 1] }, tolerance: 0 },
    { name: "axes of one", inputs: { x: [1, 4, 1, 8] }, attrs: { order: [2, 3, 0, 1] }, tolerance: 0 },
    { name: "u32", inputs: { x: { shape: [3, 4, 5], dtype: "u32" } }, attrs: { order: [2, 1, 0] } },
    { name: "bool", inputs: { x: { shape: [3, 7], dtype: "bool" } }, attrs: { order: [1, 0] } },
    { name: "no elements", inputs: { x: [0, 3] }, attrs: { order: [1, 0] }, tolerance: 0 },
    {
      name: "f16",
      inputs: { x: { shape: [3, 4, 8], dtype: "f16" } },
      attrs: { order: [1, 0, 2] },
      tolerance: 0,
    },
    {
      name: "heads out of tokens",
      inputs: { x: [2, 256, 4, 64] },
      attrs: { order: [0, 2, 1, 3] },
      tolerance: 0,
      bench: true,
    },
    {
      name: "channels first",
      inputs: { x: [2, 64, 64, 64] },
      attrs: { order: [0, 3, 1, 2] },
      tolerance: 0,
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [2, 3] },
      attrs: { order: [0, 0] },
      message: /permute: order \[0, 0\] must name each of the 2 axes of x \[2, 3\] once/,
    },
    {
      inputs: { x: [2, 3] },
      attrs: { order: [0, 1, 2] },
      message: /permute: order \[0, 1, 2\] must name each of the 2 axes/,
    },
  ],
});
