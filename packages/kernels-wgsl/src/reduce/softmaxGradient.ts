/** Gradient of softmax along an axis, from its result. */
import { check, checkFloat } from "../errors.ts";
import { defineKernel, type Pass } from "../kernel.ts";
import { bytesOf, type DType, sameShape, show, sizeOf, spec } from "../spec.ts";
import { type AxisAttrs, type Lines, lineBase, lineParams, linesOf } from "./lines.ts";
import { rowLanes, rowPass, rowPerThread } from "./rows.ts";

const name = "softmaxGradient";

const pass = (lines: Lines, dtype: DType, lanes: number): Pass =>
  rowPass(
    lines,
    dtype,
    lanes,
    { read: ["y", "gradient"], write: ["xGradient"] },
    /* wgsl */ `
  var sum = V(0.0);
  for (var at = first; at < end; at += step) { sum += V(y[at]) * V(gradient[at]); }
  let mean = rowSum(sum, lane);
  for (var at = first; at < end; at += step) { xGradient[at] = Stored(V(y[at]) * (V(gradient[at]) - mean)); }`,
  );

const both = (shape: readonly number[], dtype: DType = "f32") => ({
  y: { shape, dtype },
  gradient: { shape, dtype },
});

/** dxᵢ = yᵢ (dyᵢ − Σⱼ yⱼ dyⱼ) along an axis. Inputs y and its gradient, f32 or f16; output xGradient of y's shape and type. */
export const softmaxGradient = defineKernel({
  name,
  inputs: ["y", "gradient"],
  outputs: ["xGradient"],
  params: lineParams,
  infer({ y, gradient }, { axis }: AxisAttrs) {
    checkFloat(name, "y", y.dtype);
    check(
      gradient.dtype === y.dtype,
      name,
      () => `gradient must be ${y.dtype}, as y, but is ${gradient.dtype}; cast it first.`,
    );
    check(
      sameShape(y.shape, gradient.shape),
      name,
      () => `gradient must have the shape of y ${show(y.shape)} but is ${show(gradient.shape)}.`,
    );
    return { outputs: { xGradient: spec(y.shape, y.dtype) }, params: linesOf(name, y.shape, axis) };
  },
  variants: [
    {
      name: "row per thread",
      when: ({ adapterClass }, { params }) => rowPerThread(adapterClass, params),
      passes: (_caps, { inputs: { y }, params }) => [pass(params, y.dtype, 1)],
    },
    {
      name: "row per workgroup",
      passes: (_caps, { inputs: { y }, params }) => [pass(params, y.dtype, rowLanes)],
    },
  ],
  reference({ y, gradient }, { params }) {
    const xGradient = new Float64Array(y.length);
    for (let row = 0; row < params.rows; row++) {
      const at = (column: number): number => lineBase(row, params) + column * params.inner;
      // The Jacobian of a line, yᵢ (δᵢⱼ − yⱼ), applied to the gradient.
      for (let i = 0; i < params.columns; i++)
        for (let j = 0; j < params.columns; j++)
          xGradient[at(i)]! += y[at(j)]! * ((i === j ? 1 : 0) - y[at(i)]!) * gradient[at(j)]!;
    }
    return { xGradient };
  },
  cost: ({ inputs }) => ({ flops: 4 * sizeOf(inputs.y.shape), bytes: 3 * bytesOf(inputs.y) }),
  cases: [
    { name: "one element", inputs: both([1]), attrs: { axis: 0 } },
    { name: "odd length", inputs: both([5, 7]), attrs: { axis: 1 } },
    { name: "middle axis", inputs: both([3, 70, 5]), attrs: { axis: 1 } },
    { name: "lanes + 1, many rows", inputs: both([131, 65]), attrs: { axis: 1 } },
    { name: "fours, short of the lanes", inputs: both([3, 36]), attrs: { axis: 1 } },
    { name: "f16, fours", inputs: both([3, 68], "f16"), attrs: { axis: 1 } },
    { name: "f16, first axis", inputs: both([67, 3], "f16"), attrs: { axis: 0 } },
    { name: "no elements along the axis", inputs: both([3, 0]), attrs: { axis: 1 } },
    { name: "[2, 4, 64, 64]", inputs: both([2, 4, 64, 64]), attrs: { axis: 3 }, bench: true },
    { name: "[2, 4, 256, 256]", inputs: both([2, 4, 256, 256]), attrs: { axis: 3 }, benchOnly: true },
  ],
  refusals: [
    {
      inputs: { y: [2, 3], gradient: [3, 2] },
      attrs: { axis: 1 },
      message: /softmaxGradient: gradient must have the shape of y \[2, 3\] but is \[3, 2\]/,
    },
    {
      inputs: { y: [2], gradient: { shape: [2], dtype: "i32" } },
      attrs: { axis: 0 },
      message: /softmaxGradient: gradient must be f32, as y, but is i32/,
    },
  ],
});
