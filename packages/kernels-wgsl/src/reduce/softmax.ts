/** Softmax and its logarithm along an axis. */
import { checkFloat } from "../errors.ts";
import { type Case, defineKernel, type Pass } from "../kernel.ts";
import { bytesOf, type DType, sizeOf, spec } from "../spec.ts";
import { type AxisAttrs, type Lines, lineBase, lineParams, linesOf } from "./lines.ts";
import { rowLanes, rowPass, rowPerThread } from "./rows.ts";

// The largest value starts at the most negative number, so that lines of −∞ divide by zero and give NaN.
const pass = (lines: Lines, dtype: DType, lanes: number, finish: string): Pass =>
  rowPass(
    lines,
    dtype,
    lanes,
    { read: ["x"], write: ["y"] },
    /* wgsl */ `
  var largest = V(-3.4e38);
  for (var at = first; at < end; at += step) { largest = max(largest, V(x[at])); }
  let top = rowMax(largest, lane);
  var few = V(0.0);
  for (var at = first; at < end; at += step) { few += exp(V(x[at]) - top); }
  let sum = rowSum(few, lane);
  ${finish}`,
  );

const cases: readonly Case<"x", AxisAttrs>[] = [
  { name: "one element", inputs: { x: [1] }, attrs: { axis: 0 } },
  { name: "odd length", inputs: { x: [5, 7] }, attrs: { axis: 1 } },
  { name: "first axis", inputs: { x: [5, 7] }, attrs: { axis: 0 } },
  { name: "middle axis", inputs: { x: [3, 70, 5] }, attrs: { axis: 1 } },
  { name: "lanes + 1, many rows", inputs: { x: [131, 65] }, attrs: { axis: 1 } },
  { name: "fours, short of the lanes", inputs: { x: [3, 36] }, attrs: { axis: 1 } },
  { name: "f16, fours", inputs: { x: { shape: [3, 68], dtype: "f16" } }, attrs: { axis: 1 } },
  { name: "f16, first axis", inputs: { x: { shape: [67, 3], dtype: "f16" } }, attrs: { axis: 0 } },
  { name: "no elements along the axis", inputs: { x: [3, 0] }, attrs: { axis: 1 } },
  { name: "no lines", inputs: { x: [0, 3] }, attrs: { axis: 1 } },
  {
    name: "large logits",
    inputs: { x: { shape: [4, 260], fill: (_index, uniform) => 1000 * (uniform() - 0.5) } },
    attrs: { axis: 1 },
  },
  {
    name: "rows with −∞, of −∞ only, with ∞, with NaN",
    inputs: {
      x: {
        shape: [5, 60],
        fill(index, uniform) {
          const row = Math.floor(index / 60);
          if (row === 1 || (row === 0 && index % 3)) return -Infinity;
          if (index % 60 === 7 && row > 1) return [Infinity, Number.NaN, 3][row - 2]!;
          return uniform();
        },
      },
    },
    attrs: { axis: 1 },
  },
];

/** Kernel along an axis whose lines are shifted by their largest value; `finish` writes the line. */
const softmaxLike = <const N extends string>(
  name: N,
  finish: string,
  reference: (shifted: number, total: number) => number,
  more: readonly Case<"x", AxisAttrs>[],
) =>
  defineKernel({
    name,
    inputs: ["x"],
    outputs: ["y"],
    params: lineParams,
    infer({ x }, { axis }: AxisAttrs) {
      checkFloat(name, "x", x.dtype);
      return { outputs: { y: spec(x.shape, x.dtype) }, params: linesOf(name, x.shape, axis) };
    },
    variants: [
      {
        name: "row per thread",
        when: ({ adapterClass }, { params }) => rowPerThread(adapterClass, params),
        passes: (_caps, { inputs: { x }, params }) => [pass(params, x.dtype, 1, finish)],
      },
      {
        name: "row per workgroup",
        passes: (_caps, { inputs: { x }, params }) => [pass(params, x.dtype, rowLanes, finish)],
      },
    ],
    reference({ x }, { params }) {
      const y = new Float64Array(x.length);
      for (let row = 0; row < params.rows; row++) {
        const at = (column: number): number => lineBase(row, params) + column * params.inner;
        let top = -Infinity;
        let total = 0;
        for (let column = 0; column < params.columns; column++) top = Math.max(top, x[at(column)]!);
        for (let column = 0; column < params.columns; column++) total += Math.exp(x[at(column)]! - top);
        for (let column = 0; column < params.columns; column++)
          y[at(column)] = reference(x[at(column)]! - top, total);
      }
      return { y };
    },
    cost: ({ inputs }) => ({ flops: 5 * sizeOf(inputs.x.shape), bytes: 2 * bytesOf(inputs.x) }),
    cases: [...cases, ...more],
    refusals: [
      {
        inputs: { x: [] },
        attrs: { axis: 0 },
        message: new RegExp(`${name}: x must have at least one axis but is \\[\\]`),
      },
      {
        inputs: { x: [2, 3] },
        attrs: { axis: 2 },
        message: new RegExp(`${name}: axis 2 is outside of x \\[2, 3\\]`),
      },
      {
        inputs: { x: { shape: [2], dtype: "i32" } },
        attrs: { axis: 0 },
        message: new RegExp(`${name}: x must be f32 or f16 but is i32`),
      },
    ],
  });

/** yᵢ = exp(xᵢ − max x) / Σⱼ exp(xⱼ − max x) along an axis. Input x, f32 or f16; output y of its shape and type. */
export const softmax = softmaxLike(
  "softmax",
  /* wgsl */ `let scale = 1.0 / sum;
  for (var at = first; at < end; at += step) { y[at] = Stored(exp(V(x[at]) - top) * scale); }`,
  (shifted, total) => Math.exp(shifted) / total,
  [
    { name: "[2, 4, 64, 64]", inputs: { x: [2, 4, 64, 64] }, attrs: { axis: 3 }, bench: true },
    { name: "[2, 4, 256, 256]", inputs: { x: [2, 4, 256, 256] }, attrs: { axis: 3 }, bench: true },
  ],
);

/** yᵢ = xᵢ − max x − log Σⱼ exp(xⱼ − max x) along an axis. Input x, f32 or f16; output y of its shape and type. */
export const logSoftmax = softmaxLike(
  "logSoftmax",
  /* wgsl */ `let shift = log(sum);
  for (var at = first; at < end; at += step) { y[at] = Stored(V(x[at]) - top - shift); }`,
  (shifted, total) => shifted - Math.log(total),
  [{ name: "a thousand classes", inputs: { x: [64, 1000] }, attrs: { axis: 1 }, bench: true }],
);
