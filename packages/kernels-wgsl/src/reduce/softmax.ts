/** Softmax over the last axis. */
import { check } from "../errors.ts";
import { defineKernel, type Pass } from "../kernel.ts";
import { bytesOf, type Shape, show, sizeOf, spec } from "../spec.ts";
import { rowLanes, rowPass, rowPerThread } from "./rows.ts";

/** Rows and their length; x must have a last axis. */
export function rowsOf(op: string, shape: Shape): { rows: number; columns: number } {
  check(shape.length >= 1, op, `x must have at least one axis but is ${show(shape)}.`);
  const columns = shape.at(-1)!;
  return { rows: sizeOf(shape) / columns, columns };
}

const pass = (params: { rows: number; columns: number }, lanes: number): Pass =>
  rowPass(
    params,
    lanes,
    { read: ["x"], write: ["y"] },
    /* wgsl */ `
  var largest = V(-3.4e38);
  for (var at = first; at < end; at += step) { largest = max(largest, x[at]); }
  let top = rowMax(largest, lane);
  var sum = V(0.0);
  for (var at = first; at < end; at += step) { sum += exp(x[at] - top); }
  let scale = 1.0 / rowSum(sum, lane);
  for (var at = first; at < end; at += step) { y[at] = exp(x[at] - top) * scale; }`,
  );

/** yᵢ = exp(xᵢ − max x) / Σⱼ exp(xⱼ − max x) along the last axis. Input x [..., C]; output y of x's shape. */
export const softmax = defineKernel({
  name: "softmax",
  inputs: ["x"],
  outputs: ["y"],
  params: { rows: "u32", columns: "u32" },
  infer({ x }, _attrs: Readonly<Record<never, never>>) {
    check(x.dtype === "f32", "softmax", `x must be f32 but is ${x.dtype}; cast it first.`);
    return { outputs: { y: spec(x.shape) }, params: rowsOf("softmax", x.shape) };
  },
  variants: [
    {
      name: "row per thread",
      when: ({ adapterClass }, { params }) => rowPerThread(adapterClass, params.columns),
      passes: (_caps, { params }) => [pass(params, 1)],
    },
    { name: "row per workgroup", passes: (_caps, { params }) => [pass(params, rowLanes)] },
  ],
  reference({ x }, { params: { rows, columns } }) {
    const y = new Float64Array(x.length);
    for (let row = 0; row < rows; row++) {
      const values = x.subarray(row * columns, (row + 1) * columns);
      const top = values.reduce((largest, value) => Math.max(largest, value));
      const total = values.reduce((sum, value) => sum + Math.exp(value - top), 0);
      values.forEach((value, column) => {
        y[row * columns + column] = Math.exp(value - top) / total;
      });
    }
    return { y };
  },
  cost: ({ inputs }) => ({ flops: 5 * sizeOf(inputs.x.shape), bytes: 2 * bytesOf(inputs.x) }),
  cases: [
    { name: "one element", inputs: { x: [1] }, attrs: {} },
    { name: "odd length", inputs: { x: [5, 7] }, attrs: {} },
    { name: "lanes + 1, many rows", inputs: { x: [131, 65] }, attrs: {} },
    { name: "fours, short of the lanes", inputs: { x: [3, 36] }, attrs: {} },
    {
      name: "large logits",
      inputs: { x: { shape: [4, 260], fill: (_index, uniform) => 1000 * (uniform() - 0.5) } },
      attrs: {},
    },
    { name: "[2, 4, 64, 64]", inputs: { x: [2, 4, 64, 64] }, attrs: {}, bench: true },
    { name: "[2, 4, 256, 256]", inputs: { x: [2, 4, 256, 256] }, attrs: {}, bench: true },
  ],
  refusals: [
    { inputs: { x: [] }, attrs: {}, message: /softmax: x must have at least one axis but is \[\]/ },
    { inputs: { x: { shape: [2], dtype: "i32" } }, attrs: {}, message: /softmax: x must be f32 but is i32/ },
  ],
});
