/** Sum over some axes: the backbone of reductions and of the gradients of broadcasting. */
import { reduction } from "./reduction.ts";

export type { ReduceAttrs as SumAttrs } from "./reduction.ts";

/** yₒ = sum of x over `axes`, which become extents of 1. Input x of any shape; output y. */
export const sum = reduction({
  name: "sum",
  combine: (total, value) => `${total} + ${value}`,
  fold: (total, value) => total + value,
  identity: 0,
  cases: [
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
