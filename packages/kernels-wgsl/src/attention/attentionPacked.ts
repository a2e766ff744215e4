/** Self-attention on the output of one projection: q, k and v are read in place. */
import { defineKernel, type ReferenceValues } from "../kernel.ts";
import { bytesOf, spec, type TensorSpec } from "../spec.ts";
import { attention } from "./attention.ts";
import { packedCases } from "./cases.ts";
import {
  type AttentionAttrs,
  attentionParams,
  attentionValues,
  forwardFlops,
  forwardOutputs,
  type PackedInputs,
  packedLayout,
} from "./shared.ts";
import { forwardVariants } from "./variants.ts";

const name = "attentionPacked";

/** {@link attention} of qkv [N, T, heads, 3·D], in which q, k and v of a head are contiguous; same outputs. */
export const attentionPacked = defineKernel({
  name,
  inputs: ["qkv"],
  outputs: ["y", "logSumExp"],
  params: attentionParams,
  infer(inputs, attrs: AttentionAttrs) {
    const layout = packedLayout(name, inputs, attrs);
    return { outputs: forwardOutputs(layout), params: attentionValues(layout, attrs) };
  },
  variants: forwardVariants((inputs: PackedInputs, attrs) => packedLayout(name, inputs, attrs)),
  reference({ qkv }, call) {
    const { values, inputs } = separate(qkv, call.inputs.qkv);
    return attention.reference(values, { ...call, inputs });
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: forwardFlops(packedLayout(name, inputs, attrs)),
    bytes: bytesOf(inputs.qkv) + bytesOf(outputs.y) + bytesOf(outputs.logSumExp),
  }),
  cases: packedCases((qkv) => ({ qkv })),
  refusals: [
    {
      inputs: { qkv: [2, 4, 48] },
      attrs: { scale: 1 },
      message: /attentionPacked: qkv must be \[N, T, heads, 3·D\] but is \[2, 4, 48\]/,
    },
    {
      inputs: { qkv: [2, 4, 2, 16] },
      attrs: { scale: 1 },
      message: /attentionPacked: qkv must be \[N, T, heads, 3·D\] but is \[2, 4, 2, 16\]/,
    },
    {
      inputs: { qkv: [1, 0, 1, 24] },
      attrs: { scale: 1 },
      message: /attentionPacked: qkv \[1, 0, 1, 24\] has no tokens to attend to/,
    },
    {
      inputs: { qkv: [1, 4, 1, 771] },
      attrs: { scale: 1 },
      message: /attentionPacked: D of qkv \[1, 4, 1, 771\] is more than 256; use more heads/,
    },
    {
      inputs: { qkv: { shape: [1, 4, 1, 24], dtype: "i32" } },
      attrs: { scale: 1 },
      message: /attentionPacked: qkv must be f32 or f16 but is i32/,
    },
  ],
});

type Separate<T> = Record<"query" | "key" | "value", T>;

/** Separate copies of q, k and v. */
export function separate(
  qkv: ReferenceValues,
  { shape, dtype }: TensorSpec,
): { values: Separate<ReferenceValues>; inputs: Separate<TensorSpec> } {
  const width = shape[3]!;
  const dimension = width / 3;
  const part = (index: number): ReferenceValues =>
    qkv.filter((_, i) => Math.floor((i % width) / dimension) === index);
  const input = spec([...shape.slice(0, 3), dimension], dtype);
  return {
    values: { query: part(0), key: part(1), value: part(2) },
    inputs: { query: input, key: input, value: input },
  };
}
