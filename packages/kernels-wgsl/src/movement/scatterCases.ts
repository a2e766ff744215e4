/** Cases of `scatter`. */
import type { Case, Refusal } from "../kernel.ts";
import type { ScatterAttrs } from "./scatter.ts";

type Input = "x" | "index" | "source";

/** Places of 0 … 9, and some outside on both sides. */
const around = (k: number): number => ((k * 7) % 17) - 8;

/** For each way to reduce, indices that repeat, lie outside, and count from the end. */
const reductions: readonly Case<Input, ScatterAttrs>[] = (["set", "add", "mul", "max", "min"] as const).map(
  (reduce) => ({
    name: `${reduce} along a middle axis, fewer of the others`,
    inputs: {
      x: [4, 5, 6],
      index: { shape: [3, 11, 5], dtype: "i32", fill: around },
      source: [3, 11, 5],
    },
    attrs: { axis: 1, reduce },
  }),
);

export const scatterCases: readonly Case<Input, ScatterAttrs>[] = [
  ...reductions,
  {
    name: "one element",
    inputs: { x: [1], index: { shape: [1], dtype: "u32", fill: () => 0 }, source: [1] },
    attrs: { axis: 0, reduce: "set" },
    tolerance: 0,
  },
  {
    name: "zeros into the last axis",
    inputs: { x: [3, 10], index: { shape: [3, 4], dtype: "i32" } },
    attrs: { axis: 1, reduce: "set" },
    tolerance: 0,
  },
  {
    name: "added to zeros",
    inputs: { index: { shape: [12, 3], dtype: "u32" }, source: [12, 3] },
    attrs: { axis: 0, reduce: "add", shape: [10, 3] },
  },
  {
    name: "the largest where some are NaN",
    inputs: {
      x: [5],
      index: { shape: [9], dtype: "i32", fill: (k) => k % 4 },
      source: { shape: [9], fill: (k) => (k === 2 || k === 5 ? Number.NaN : k) },
    },
    attrs: { axis: 0, reduce: "max" },
  },
  {
    name: "no index",
    inputs: { x: [3, 4], index: { shape: [3, 0], dtype: "i32" }, source: [3, 0] },
    attrs: { axis: 1, reduce: "add" },
    tolerance: 0,
  },
  {
    name: "into no rows",
    inputs: { x: [0, 4], index: { shape: [3, 4], dtype: "i32" }, source: [3, 4] },
    attrs: { axis: 0, reduce: "add" },
    tolerance: 0,
  },
  {
    name: "i32, the smallest",
    inputs: {
      x: { shape: [10], dtype: "i32" },
      index: { shape: [13], dtype: "i32" },
      source: { shape: [13], dtype: "i32", fill: (k) => k - 6 },
    },
    attrs: { axis: 0, reduce: "min" },
  },
  {
    name: "bool",
    inputs: {
      x: { shape: [10], dtype: "bool" },
      index: { shape: [13], dtype: "i32" },
      source: { shape: [13], dtype: "bool" },
    },
    attrs: { axis: 0, reduce: "set" },
  },
  {
    name: "f16, added",
    inputs: {
      x: { shape: [10, 3], dtype: "f16" },
      index: { shape: [31, 3], dtype: "i32" },
      source: { shape: [31, 3], dtype: "f16" },
    },
    attrs: { axis: 0, reduce: "add" },
  },
  {
    name: "gradient of one class of a thousand",
    inputs: {
      index: { shape: [256, 1], dtype: "i32", fill: (k) => (k * 37) % 1000 },
      source: [256, 1],
    },
    attrs: { axis: 1, reduce: "add", shape: [256, 1000] },
    bench: true,
  },
];

export const scatterRefusals: readonly Refusal<Input, ScatterAttrs>[] = [
  {
    inputs: { x: [3], index: [3], source: [3] },
    attrs: { axis: 0, reduce: "set" },
    message: /scatter: index must be i32 or u32 but is f32 \[3\]/,
  },
  {
    inputs: { x: [3], index: { shape: [2], dtype: "i32" }, source: [3] },
    attrs: { axis: 0, reduce: "set" },
    message: /scatter: source \[3\] must have the shape of index \[2\]/,
  },
  {
    inputs: { x: [3], index: { shape: [3], dtype: "i32" }, source: { shape: [3], dtype: "i32" } },
    attrs: { axis: 0, reduce: "set" },
    message: /scatter: x is f32 but source is i32; cast one of them first/,
  },
  {
    inputs: {
      x: { shape: [3], dtype: "bool" },
      index: { shape: [3], dtype: "i32" },
      source: { shape: [3], dtype: "bool" },
    },
    attrs: { axis: 0, reduce: "add" },
    message: /scatter: bool has no sum; use max or min, or cast it first/,
  },
];
