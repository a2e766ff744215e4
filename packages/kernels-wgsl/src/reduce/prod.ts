/** Products. */
import { type DType, isFloat } from "../spec.ts";
import type { Combination } from "./fold.ts";
import { reduction, typedCases } from "./reduction.ts";
import { sumType } from "./sum.ts";

const multiplication = (x: DType): Combination => ({
  combine: (total, value) => `${total} * ${value}`,
  functions: "",
  identity: 1,
  total: isFloat(x) ? "f32" : x === "u32" ? "u32" : "i32",
  rounds: false,
});

/** Away from zero and near ±1, so that long products stay within range. */
const nearOne = (index: number, uniform: () => number): number =>
  (index % 7 ? 1 : -1) * (1 + 0.02 * (uniform() - 0.5));

/**
 * yₒ = product of x over `axes`, which become extents of 1. Input x of any shape and type; output y of x's type (i32 for bool), or
 * f32 for f16 with `dtype: "f32"`. f16 is multiplied in f32.
 */
export const prod = reduction({
  name: "prod",
  combination: multiplication,
  fold: (total, value) => total * value,
  identity: 1,
  result: (x, asked) => sumType("prod", x, asked),
  refusals: [
    {
      inputs: { x: { shape: [2], dtype: "u32" } },
      attrs: { axes: [0], dtype: "f32" },
      message: /prod: the prod of u32 is u32, not f32; cast x or the result/,
    },
  ],
  tolerance: 1e-4,
  cases: [
    ...typedCases("f32", nearOne).slice(0, -1),
    ...typedCases("f16", nearOne).slice(0, -1),
    ...typedCases("i32", (index) => (index % 1009 === 3 ? -3 : 1)).slice(0, -1),
    ...typedCases("u32", (index) => (index % 1009 === 3 ? 3 : 1)).slice(0, -1),
    ...typedCases("bool", (index) => (index % 97 ? 1 : 0)),
    {
      name: "with a zero in some rows",
      inputs: {
        x: { shape: [9, 301], fill: (index, uniform) => (index % 509 ? nearOne(index, uniform) : 0) },
      },
      attrs: { axes: [1] },
    },
    { name: "no values", inputs: { x: [3, 0, 2] }, attrs: { axes: [1] } },
    // The rounding errors of so many factors add up.
    {
      name: "all of a feature map",
      inputs: { x: { shape: [2, 32, 32, 64], fill: nearOne } },
      attrs: { axes: [0, 1, 2, 3] },
      tolerance: 1e-4,
      bench: true,
    },
  ],
});
