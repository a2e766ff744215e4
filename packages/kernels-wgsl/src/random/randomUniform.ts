/**
 * Uniform numbers in [0, 1): the upper 24 bits of a word ÷ 2²⁴, exact in f32. Element `j` of row `n` depends on `key[n]`
 * and `j` only, so an image's numbers are the same in any batch, at any place in it.
 */
import { defineKernel } from "../kernel.ts";
import { bytesOf, sizeOf, spec } from "../spec.ts";
import { anyWord } from "./philox.ts";
import { checkRows, drawParams, drawParamsOf, drawPass, drawRows, type RandomRowsAttrs } from "./rows.ts";

export { philox4x32 } from "./philox.ts";
export type { RandomRowsAttrs } from "./rows.ts";

const code = /* wgsl */ `
fn draw(words: vec4<u32>) -> vec4<f32> { return vec4<f32>(words >> vec4<u32>(8)) * f32(${2 ** -24}); }
`;

/** Input key [N, 4] (u32: seed, seed, stream, step); output y [N, …] (f32). */
export const randomUniform = defineKernel({
  name: "randomUniform",
  inputs: ["key"],
  outputs: ["y"],
  params: drawParams,
  infer({ key }, attrs: RandomRowsAttrs) {
    checkRows("randomUniform", key, attrs);
    return { outputs: { y: spec(attrs.shape) }, params: drawParamsOf(attrs.shape) };
  },
  variants: [{ name: "direct", passes: (caps, { attrs }) => [drawPass(caps, attrs.shape, "uniform", code)] }],
  reference: ({ key }, { attrs }) => ({
    y: drawRows(key, attrs.shape, "uniform", (words) => words.map((word) => (word >>> 8) / 2 ** 24)),
  }),
  // A block of four takes about 200 integer operations, which are not counted.
  cost: ({ inputs, outputs }) => ({
    flops: sizeOf(outputs.y.shape),
    bytes: bytesOf(inputs.key) + bytesOf(outputs.y),
  }),
  cases: [
    {
      name: "one element",
      inputs: { key: { shape: [1, 4], dtype: "u32", fill: anyWord } },
      attrs: { shape: [1] },
      tolerance: 0,
    },
    {
      name: "odd rows",
      inputs: { key: { shape: [3, 4], dtype: "u32", fill: anyWord } },
      attrs: { shape: [3, 7, 5] },
      tolerance: 0,
    },
    {
      name: "rows by four",
      inputs: { key: { shape: [5, 4], dtype: "u32", fill: anyWord } },
      attrs: { shape: [5, 8] },
      tolerance: 0,
    },
    {
      name: "dropout of a feature map",
      inputs: { key: { shape: [2, 4], dtype: "u32", fill: anyWord } },
      attrs: { shape: [2, 32, 32, 32] },
      tolerance: 0,
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { key: [2, 4] },
      attrs: { shape: [2, 3] },
      message: /randomUniform: key must be u32 \[N, 4\] \(seed, seed, stream, step\) but is f32 \[2, 4\]/,
    },
    {
      inputs: { key: { shape: [2, 3], dtype: "u32" } },
      attrs: { shape: [2, 3] },
      message: /randomUniform: key must be u32 \[N, 4\] \(seed, seed, stream, step\) but is u32 \[2, 3\]/,
    },
    {
      inputs: { key: { shape: [2, 4], dtype: "u32" } },
      attrs: { shape: [3, 2] },
      message: /randomUniform: shape \[3, 2\] must have one row for each of the 2 keys/,
    },
  ],
});
