/**
 * One whole number of low … high − 1 for each key: `low + ⌊word · (high − low) / 2³²⌋`. No number is likelier than
 * another by more than a relative (high − low)/2³².
 */
import { check } from "../errors.ts";
import { defineKernel, grid, perThread } from "../kernel.ts";
import { bytesOf, ceilDiv, spec } from "../spec.ts";
import { anyWord, checkKey, wordsCode, wordsOf } from "./philox.ts";

/** Attributes of `randomInteger`: the range, its upper end excluded. */
export interface RandomIntegerAttrs {
  /** The smallest number. */
  readonly low: number;
  /** One more than the largest. */
  readonly high: number;
}

const workgroupSize = 64;

/** Input key [N, 4] (u32: seed, seed, stream, step); output y [N] (i32). */
export const randomInteger = defineKernel({
  name: "randomInteger",
  inputs: ["key"],
  outputs: ["y"],
  params: { size: "u32", low: "i32", range: "u32" },
  infer({ key }, { low, high }: RandomIntegerAttrs) {
    checkKey("randomInteger", key);
    const fits = (value: number) => Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31;
    check(
      fits(low) && fits(high - 1) && low < high && high - low < 2 ** 32,
      "randomInteger",
      () => `low ${low} and high ${high} must be whole 32-bit numbers with low < high.`,
    );
    const size = key.shape[0]!;
    return { outputs: { y: spec([size], "i32") }, params: { size, low, range: high - low } };
  },
  variants: [
    {
      name: "direct",
      passes: (_caps, { params }) => [
        {
          read: { key: "vec4<u32>" },
          write: { y: "i32" },
          workgroups: grid(ceilDiv(params.size, workgroupSize)),
          code: /* wgsl */ `
${wordsCode("integer")}
${perThread(
  workgroupSize,
  /* wgsl */ `
  if (i >= params.size) { return; }
  y[i] = params.low + bitcast<i32>(multiplyHigh(wordsOf(i, 0u).x, params.range));`,
)}`,
        },
      ],
    },
  ],
  reference: ({ key }, { attrs, params }) => ({
    y: Float64Array.from({ length: params.size }, (_, n) => {
      const [word] = wordsOf(key, n, 0, "integer");
      return attrs.low + Number((BigInt(word) * BigInt(params.range)) >> 32n);
    }),
  }),
  cost: ({ inputs, outputs }) => ({ flops: 0, bytes: bytesOf(inputs.key) + bytesOf(outputs.y) }),
  cases: [
    {
      name: "one key, one possible number",
      inputs: { key: { shape: [1, 4], dtype: "u32", fill: anyWord } },
      attrs: { low: -3, high: -2 },
    },
    {
      name: "all 32-bit numbers but one",
      inputs: { key: { shape: [77, 4], dtype: "u32", fill: anyWord } },
      attrs: { low: -(2 ** 31), high: 2 ** 31 - 1 },
    },
    {
      name: "timesteps",
      inputs: { key: { shape: [1009, 4], dtype: "u32", fill: anyWord } },
      attrs: { low: 0, high: 1000 },
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { key: { shape: [2, 4], dtype: "i32" } },
      attrs: { low: 0, high: 10 },
      message: /randomInteger: key must be u32 \[N, 4\] \(seed, seed, stream, step\) but is i32 \[2, 4\]/,
    },
    {
      inputs: { key: { shape: [2, 4], dtype: "u32" } },
      attrs: { low: 5, high: 5 },
      message: /randomInteger: low 5 and high 5 must be whole 32-bit numbers with low < high/,
    },
  ],
});
