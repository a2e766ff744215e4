/** Gradient of softmax over the last axis, from its result. */
import { check } from "../errors.ts";
import { defineKernel, type Pass } from "../kernel.ts";
import { bytesOf, sameShape, show, sizeOf, spec } from "../spec.ts";
import { rowLanes, rowPass, rowPerThread } from "./rows.ts";
import { rowsOf } from "./softmax.ts";

const name = "softmaxGradient";

const pass = (params: { rows: number; columns: number }, lanes: number): Pass =>
  rowPass(
    params,
    lanes,
    { read: ["y", "gradient"], write: ["xGradient"] },
    /* wgsl */ `
  var sum = V(0.0);
  for (var at = first; at < end; at += step) { sum += y[at] * gradient[at]; }
  let mean = rowSum(sum, lane);
  for (var at = first; at < end; at += step) { xGradient[at] = y[at] * (gradient[at] - mean); }`,
  );

/** dxᵢ = yᵢ (dyᵢ − Σⱼ yⱼ dyⱼ). Inputs y [..., C], gradient of y; output xGradient of the same shape. */
export const softmaxGradient = defineKernel({
  name,
  inputs: ["y", "gradient"],
  outputs: ["xGradient"],
  params: { rows: "u32", columns: "u32" },
  infer({ y, gradient }, _attrs: Readonly<Record<never, never>>) {
    check(y.dtype === "f32", name, `y must be f32 but is ${y.dtype}; cast it first.`);
    check(gradient.dtype === "f32", name, `gradient must be f32 but is ${gradient.dtype}; cast it first.`);
    check(
      sameShape(y.shape, gradient.shape),
      name,
      `gradient must have the shape of y ${show(y.shape)} but is ${show(gradient.shape)}.`,
    );
    return { outputs: { xGradient: spec(y.shape) }, params: rowsOf(name, y.shape) };
  },
  variants: [
    {
      name: "row per thread",
      when: ({ adapterClass }, { params }) => rowPerThread(adapterClass, params.columns),
      passes: (_caps, { params }) => [pass(params, 1)],
    },
    { name: "row per workgroup", passes: (_caps, { params }) => [pass(params, rowLanes)] },
  ],
  reference({ y, gradient }, { params: { rows, columns } }) {
    const xGradient = new Float64Array(y.length);
    for (let row = 0; row < rows; row++) {
      // The Jacobian of a row, yᵢ (δᵢⱼ − yⱼ), applied to the gradient.
      for (let i = row * columns; i < (row + 1) * columns; i++)
        for (let j = row * columns; j < (row + 1) * columns; j++)
          xGradient[i]! += y[j]! * ((i === j ? 1 : 0) - y[i]!) * gradient[j]!;
    }
    return { xGradient };
  },
  cost: ({ inputs }) => ({ flops: 4 * sizeOf(inputs.y.shape), bytes: 3 * bytesOf(inputs.y) }),
  cases: [
    { name: "one element", inputs: { y: [1], gradient: [1] }, attrs: {} },
    { name: "odd length", inputs: { y: [5, 7], gradient: [5, 7] }, attrs: {} },
    { name: "lanes + 1, many rows", inputs: { y: [131, 65], gradient: [131, 65] }, attrs: {} },
    { name: "fours, short of the lanes", inputs: { y: [3, 36], gradient: [3, 36] }, attrs: {} },
    {
      name: "[2, 4, 64, 64]",
      inputs: { y: [2, 4, 64, 64], gradient: [2, 4, 64, 64] },
      attrs: {},
      bench: true,
    },
    {
      name: "[2, 4, 256, 256]",
      inputs: { y: [2, 4, 256, 256], gradient: [2, 4, 256, 256] },
      attrs: {},
      benchOnly: true,
    },
  ],
  refusals: [
    {
      inputs: { y: [2, 3], gradient: [3, 2] },
      attrs: {},
      message: /softmaxGradient: gradient must have the shape of y \[2, 3\] but is \[3, 2\]/,
    },
    {
      inputs: { y: [2], gradient: { shape: [2], dtype: "i32" } },
      attrs: {},
      message: /softmaxGradient: gradient must be f32 but is i32/,
    },
  ],
});
