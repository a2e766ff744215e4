/** Largest and smallest value over some axes. */
import { reduction } from "./reduction.ts";

export type { ReduceAttrs as MaxAttrs } from "./foldVariants.ts";

const extremum = <const N extends "max" | "min">(name: N) =>
  reduction({
    name,
    combine: (total, value) => `${name}(${total}, ${value})`,
    fold: Math[name],
    identity: name === "max" ? -Infinity : Infinity,
    cases: [
      {
        name: "far from zero on the wrong side",
        inputs: {
          x: { shape: [3, 300], fill: (_index, uniform) => (name === "max" ? -1e6 : 1e6) * (1 + uniform()) },
        },
        attrs: { axes: [1] },
      },
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
        message: new RegExp(`${name}: x \\[2, 0\\] has no elements`),
      },
    ],
  });

/** yₒ = max of x over `axes`, which become extents of 1. Input x of any shape; output y. */
export const max = extremum("max");

/** yₒ = min of x over `axes`, which become extents of 1. Input x of any shape; output y. */
export const min = extremum("min");
