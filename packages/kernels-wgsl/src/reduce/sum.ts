/** Sum over some axes: the backbone of reductions and of the gradients of broadcasting. */
import { reduction } from "./reduction.ts";

export type { ReduceAttrs as SumAttrs } from "./reduction.ts";

/** yₒ = sum of x over `axes`, which become extents of 1. Input x of any shape, f32 or f16; output y, f32. */
export const sum = reduction({
  name: "sum",
  combine: (total, value) => `${total} + ${value}`,
  fold: (total, value) => total + value,
  identity: 0,
  halves: true,
  cases: [
    {
      name: "halves, to more than a half can hold",
      inputs: { x: { shape: [700, 3], dtype: "f16", fill: (_index, uniform) => 200 + uniform() } },
      attrs: { axes: [0] },
    },
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
