/** Whether any, or all, of some booleans hold. */
import { check } from "../errors.ts";
import type { Combination } from "./fold.ts";
import { reduction, typedCases } from "./reduction.ts";

const logical = <const N extends "any" | "all">(name: N) => {
  const identity = name === "any" ? 0 : 1;
  const operator = name === "any" ? "|" : "&";
  const combination: Combination = {
    combine: (total, value) => `${total} ${operator} ${value}`,
    functions: "",
    identity,
    total: "u32",
    rounds: false,
  };
  return reduction({
    name,
    combination: () => combination,
    fold: name === "any" ? Math.max : Math.min,
    identity,
    result(x) {
      check(x === "bool", name, () => `x must be bool but is ${x}; cast it first.`);
      return "bool";
    },
    shared: "bool",
    cases: [
      ...typedCases("bool", (index) => (index % 1009 === 5 ? 1 - identity : identity)),
      { name: "no values", inputs: { x: { shape: [3, 0], dtype: "bool" } }, attrs: { axes: [1] } },
      {
        name: "pixels of each mask",
        inputs: { x: { shape: [2, 256, 256, 1], dtype: "bool", fill: () => identity } },
        attrs: { axes: [1, 2, 3] },
        bench: true,
      },
    ],
    refusals: [
      {
        inputs: { x: [2] },
        attrs: { axes: [0] },
        message: new RegExp(`${name}: x must be bool but is f32; cast it first`),
      },
    ],
  });
};

/** yₒ = whether one of x over `axes` holds; false where there is none. Input x bool; output y bool, with extents of 1. */
export const any = logical("any");

/** yₒ = whether all of x over `axes` hold; true where there is none. Input x bool; output y bool, with extents of 1. */
export const all = logical("all");
