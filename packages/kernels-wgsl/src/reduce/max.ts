/** Largest and smallest value over some axes; NaN where one of the values is NaN. */
import { type DType, isFloat } from "../spec.ts";
import type { Combination } from "./fold.ts";
import { reduction, typedCases } from "./reduction.ts";

export type { ReduceAttrs as MaxAttrs } from "./foldVariants.ts";

/** By its bits: shader compilers may assume that NaN does not occur. */
const joining = (name: string, suffix: string, float: string, bits: string): string => /* wgsl */ `
fn isNaN${suffix}(x: ${float}) -> ${bits.replace("u32", "bool")} {
  return (bitcast<${bits}>(x) & ${bits}(0x7fffffffu)) > ${bits}(0x7f800000u);
}
fn join${suffix}(a: ${float}, b: ${float}) -> ${float} {
  return select(select(${name}(a, b), b, isNaN${suffix}(b)), a, isNaN${suffix}(a));
}
`;

const joiningFloats = (name: string): string =>
  joining(name, "1", "f32", "u32") + joining(name, "4", "vec4<f32>", "vec4<u32>");

const extreme =
  (name: "max" | "min", identity: number) =>
  (x: DType): Combination => ({
    combine: isFloat(x)
      ? (total, value, width) => `join${width}(${total}, ${value})`
      : (total, value) => `${name}(${total}, ${value})`,
    functions: isFloat(x) ? joiningFloats(name) : "",
    identity,
    total: isFloat(x) ? "f32" : x === "i32" ? "i32" : "u32",
    rounds: false,
  });

const extremum = <const N extends "max" | "min">(name: N) => {
  const identity = name === "max" ? -Infinity : Infinity;
  return reduction({
    name,
    combination: extreme(name, identity),
    fold: Math[name],
    identity,
    result: (x) => x,
    cases: [
      {
        name: "far from zero on the wrong side",
        inputs: {
          x: { shape: [3, 300], fill: (_index, uniform) => (name === "max" ? -1e6 : 1e6) * (1 + uniform()) },
        },
        attrs: { axes: [1] },
      },
      // Some rows and columns with NaN, others without; infinities of both signs.
      ...typedCases("f32", withNaN),
      ...typedCases("f16", withNaN),
      ...typedCases("i32", (index, uniform) => Math.floor(2 ** 32 * (uniform() - 0.5)) + (index % 2)),
      ...typedCases("u32", (_index, uniform) => Math.floor(2 ** 32 * uniform())),
      ...typedCases("bool", (index) => (index % 19 ? 0 : 1)),
      {
        name: "all of them NaN",
        inputs: { x: { shape: [3, 300], fill: () => Number.NaN } },
        attrs: { axes: [1] },
      },
      {
        name: "a NaN at the end of a long axis",
        inputs: { x: { shape: [400003], fill: (i) => (i === 400002 ? Number.NaN : i) } },
        attrs: { axes: [0] },
      },
      { name: "length just above a block", inputs: { x: [2, 257, 3] }, attrs: { axes: [1] } },
      {
        name: "score of an anomaly map",
        inputs: { x: [2, 256, 256, 1] },
        attrs: { axes: [1, 2, 3] },
        bench: true,
      },
    ],
    refusals: [
      {
        inputs: { x: [2, 0] },
        attrs: { axes: [1] },
        message: new RegExp(
          `${name}: x \\[2, 0\\] has no elements along the axes \\[1\\], so there is no ${name}`,
        ),
      },
    ],
  });
};

function withNaN(index: number, uniform: () => number): number {
  if (index % 1009 === 5) return Number.NaN;
  if (index % 173 === 7) return index % 2 ? Infinity : -Infinity;
  return uniform() - 0.5;
}

/**
 * yₒ = max of x over `axes`, which become extents of 1. Input x of any shape and type; output y of x's type. NaN where one of the
 * values is NaN.
 */
export const max = extremum("max");

/** yₒ = min of x over `axes`; otherwise as {@link max}. */
export const min = extremum("min");
