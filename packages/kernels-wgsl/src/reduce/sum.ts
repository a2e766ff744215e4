/** Sum over some axes: the backbone of reductions and of the gradients of broadcasting. */
import { reduction } from "./reduction.ts";

export type { ReduceAttrs as SumAttrs } from "./foldVariants.ts";

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
      name: "halves by four",
      inputs: { x: { shape: [2, 300, 40], dtype: "f16" } },
      attrs: { axes: [1] },
    },
    {
      name: "halves of all images, odd",
      inputs: { x: { shape: [2, 150, 13], dtype: "f16" } },
      attrs: { axes: [0, 1] },
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
