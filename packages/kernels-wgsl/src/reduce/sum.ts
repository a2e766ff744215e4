/** Sums: the backbone of reductions and of the gradients of broadcasting. */
import { check } from "../errors.ts";
import { type DType, isFloat } from "../spec.ts";
import type { Combination } from "./fold.ts";
import { reduction, typedCases } from "./reduction.ts";

export type { ReduceAttrs, ReduceAttrs as SumAttrs } from "./foldVariants.ts";

/** Type of a sum or product: that of x, i32 for bool, and for f16 also f32 where it is asked for. */
export function sumType(op: string, x: DType, asked: DType | undefined): DType {
  const own = x === "bool" ? "i32" : x;
  check(
    asked === undefined || asked === own || (x === "f16" && asked === "f32"),
    op,
    () => `the ${op} of ${x} is ${x === "f16" ? "f16 or f32" : own}, not ${asked}; cast x or the result.`,
  );
  return asked ?? own;
}

/** How values are added up: f16 in f32, so that only the result is rounded. */
const addition = (x: DType): Combination => ({
  combine: (total, value) => `${total} + ${value}`,
  functions: "",
  identity: 0,
  total: isFloat(x) ? "f32" : x === "u32" ? "u32" : "i32",
  rounds: isFloat(x),
});

/**
 * yₒ = sum of x over `axes`, which become extents of 1. Input x of any shape and type; output y of x's type (i32 for bool), or f32
 * for f16 with `dtype: "f32"`. f16 is summed in f32.
 */
export const sum = reduction({
  name: "sum",
  combination: addition,
  fold: (total, value) => total + value,
  identity: 0,
  result: (x, asked) => sumType("sum", x, asked),
  refusals: [
    {
      inputs: { x: { shape: [2], dtype: "i32" } },
      attrs: { axes: [0], dtype: "f32" },
      message: /sum: the sum of i32 is i32, not f32; cast x or the result/,
    },
  ],
  cases: [
    {
      name: "f16, overflow to infinity",
      inputs: { x: { shape: [700, 3], dtype: "f16", fill: (_index, uniform) => 200 + uniform() } },
      attrs: { axes: [0], dtype: "f32" },
    },
    {
      name: "4·10⁶ equal values",
      inputs: { x: { shape: [4e6], fill: () => 1000.1 } },
      attrs: { axes: [0] },
      tolerance: 1e-6,
    },
    {
      name: "4·10⁶ equal values, in two columns",
      inputs: { x: { shape: [2e6, 2], fill: () => 0.1 } },
      attrs: { axes: [0] },
      tolerance: 1e-6,
    },
    {
      name: "rows of equal values",
      inputs: { x: { shape: [3, 255], fill: () => 1000.1 } },
      attrs: { axes: [1] },
      tolerance: 1e-6,
    },
    ...typedCases("f16"),
    ...typedCases("i32", (index) => ((index * 37) % 101) - 50),
    ...typedCases("u32"),
    ...typedCases("bool"),
    { name: "long axis to a scalar", inputs: { x: [10007] }, attrs: { axes: [0] } },
    { name: "length just above a block", inputs: { x: [2, 257, 3] }, attrs: { axes: [1] } },
    { name: "no values", inputs: { x: [3, 0] }, attrs: { axes: [1] } },
    { name: "few channels, fewer values than threads", inputs: { x: [17, 3] }, attrs: { axes: [0] } },
    {
      name: "odd channels, several loads at once",
      inputs: { x: [2, 31, 29, 67] },
      attrs: { axes: [0, 1, 2] },
    },
    { name: "pixels of each image", inputs: { x: [3, 9, 11, 20] }, attrs: { axes: [1, 2] } },
    { name: "more channels than a line", inputs: { x: [41, 2, 132] }, attrs: { axes: [0] } },
    { name: "long rows", inputs: { x: [5, 3, 1028] }, attrs: { axes: [2] } },
    { name: "rows, odd in memory", inputs: { x: [6, 270, 5, 3] }, attrs: { axes: [1, 3] } },
    { name: "alternating axes, by four", inputs: { x: [3, 19, 5, 8] }, attrs: { axes: [1, 3] } },
    {
      name: "f16 by four to f32",
      inputs: { x: { shape: [2, 300, 40], dtype: "f16" } },
      attrs: { axes: [1], dtype: "f32" },
    },
    {
      name: "f16 of all images to f32, odd",
      inputs: { x: { shape: [2, 150, 13], dtype: "f16" } },
      attrs: { axes: [0, 1], dtype: "f32" },
    },
    // More than one workgroup should read alone, on GPUs and on software adapters.
    { name: "a second pass", inputs: { x: [20011, 16] }, attrs: { axes: [0] } },
    { name: "a second pass, odd", inputs: { x: [90001, 3] }, attrs: { axes: [0] } },
    {
      name: "batch and pixels, channels kept",
      inputs: { x: [2, 16, 16, 64] },
      attrs: { axes: [0, 1, 2] },
      bench: true,
    },
    {
      name: "all of a feature map",
      inputs: { x: [2, 32, 32, 64] },
      attrs: { axes: [0, 1, 2, 3] },
      bench: true,
    },
  ],
});
