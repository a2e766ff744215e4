/** Repeats a tensor along axes of extent 1 and new leading axes (NumPy's rules). Its gradient is `sum`. */
import { check } from "../errors.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, type Shape, show, sizeOf, spec, stridesOf } from "../spec.ts";
import { type Axis, coordinatesOf, flatIndex, walkParams, walkPass } from "./walk.ts";

/** Attributes of `broadcast`. */
export interface BroadcastAttrs {
  /** The shape of `y`. */
  readonly shape: Shape;
}

/** Axes of `y`; those along which `x` repeats have stride 0. */
function axesOf(from: Shape, to: Shape): Axis[] {
  const strides = stridesOf(from);
  const lead = to.length - from.length;
  return to.map((extent, axis) => ({
    extent,
    stride: axis < lead || from[axis - lead] === 1 ? 0 : strides[axis - lead]!,
  }));
}

/** Input x of any type; output y of the shape asked for, in the same type. */
export const broadcast = defineKernel({
  name: "broadcast",
  inputs: ["x"],
  outputs: ["y"],
  params: walkParams,
  infer({ x }, { shape }: BroadcastAttrs) {
    const lead = shape.length - x.shape.length;
    check(
      lead >= 0 && x.shape.every((extent, axis) => extent === 1 || extent === shape[lead + axis]),
      "broadcast",
      () =>
        `x ${show(x.shape)} does not fit ${show(shape)}: aligned at the last axis, each extent of x must be 1 or the same.`,
    );
    return { outputs: { y: spec(shape, x.dtype) }, params: { size: sizeOf(shape), offset: 0 } };
  },
  variants: [
    {
      name: "direct",
      passes: (caps, { inputs: { x }, attrs, params }) => [
        walkPass(caps, x.dtype, axesOf(x.shape, attrs.shape), params),
      ],
    },
  ],
  reference({ x }, { inputs, attrs }) {
    const strides = axesOf(inputs.x.shape, attrs.shape).map(({ stride }) => stride);
    const y = new Float64Array(sizeOf(attrs.shape));
    let i = 0;
    for (const at of coordinatesOf(attrs.shape)) y[i++] = x[flatIndex(at, strides)]!;
    return { y };
  },
  cost: ({ inputs, outputs }) => ({ flops: 0, bytes: bytesOf(inputs.x) + bytesOf(outputs.y) }),
  cases: [
    { name: "a scalar to a scalar", inputs: { x: [] }, attrs: { shape: [] }, tolerance: 0 },
    { name: "a scalar to an odd size", inputs: { x: [] }, attrs: { shape: [3, 5] }, tolerance: 0 },
    { name: "inner axis, prime", inputs: { x: [7, 1] }, attrs: { shape: [7, 13] }, tolerance: 0 },
    { name: "inner axis, by four", inputs: { x: [7, 1] }, attrs: { shape: [7, 12] }, tolerance: 0 },
    { name: "middle axes", inputs: { x: [3, 1, 1, 5] }, attrs: { shape: [3, 2, 7, 5] }, tolerance: 0 },
    { name: "several axes", inputs: { x: [3, 1, 5, 1] }, attrs: { shape: [2, 3, 4, 5, 6] }, tolerance: 0 },
    { name: "to no elements", inputs: { x: [3, 1] }, attrs: { shape: [0, 3, 4] }, tolerance: 0 },
    { name: "bool", inputs: { x: { shape: [3, 1], dtype: "bool" } }, attrs: { shape: [3, 3] } },
    { name: "f16", inputs: { x: { shape: [4], dtype: "f16" } }, attrs: { shape: [3, 4] }, tolerance: 0 },
    {
      name: "time embedding over pixels",
      inputs: { x: [2, 1, 1, 64] },
      attrs: { shape: [2, 32, 32, 64] },
      tolerance: 0,
      bench: true,
    },
    {
      name: "gray to three channels",
      inputs: { x: [2, 64, 64, 1] },
      attrs: { shape: [2, 64, 64, 3] },
      tolerance: 0,
    },
  ],
  refusals: [
    {
      inputs: { x: [2, 3] },
      attrs: { shape: [2, 4] },
      message: /broadcast: x \[2, 3\] does not fit \[2, 4\]/,
    },
    { inputs: { x: [2, 3] }, attrs: { shape: [3] }, message: /broadcast: x \[2, 3\] does not fit \[3\]/ },
  ],
});
