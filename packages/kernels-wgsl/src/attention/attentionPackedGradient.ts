/** Gradient of self-attention on packed q, k and v, itself packed. */
import { defineKernel } from "../kernel.ts";
import { bytesOf } from "../spec.ts";
import { attentionGradient } from "./attentionGradient.ts";
import { separate } from "./attentionPacked.ts";
import { logSumExpOf, packedCases } from "./cases.ts";
import {
  type AttentionAttrs,
  attentionParams,
  attentionValues,
  checkForwardOutputs,
  gradientFlops,
  type PackedInputs,
  packedLayout,
} from "./shared.ts";
import { gradientVariants } from "./variants.ts";

const name = "attentionPackedGradient";

/**
 * {@link attentionGradient} where q, k and v are packed: inputs qkv, y, logSumExp as attentionPacked took and gave them, gradient
 * of y; output qkvGradient.
 */
export const attentionPackedGradient = defineKernel({
  name,
  inputs: ["qkv", "y", "logSumExp", "gradient"],
  outputs: ["qkvGradient"],
  params: attentionParams,
  infer(inputs, attrs: AttentionAttrs) {
    const layout = packedLayout(name, inputs, attrs);
    checkForwardOutputs(name, layout, inputs);
    return {
      outputs: { qkvGradient: inputs.qkv },
      params: attentionValues(layout, attrs),
    };
  },
  variants: gradientVariants((inputs: PackedInputs, attrs) => packedLayout(name, inputs, attrs)),
  reference({ qkv, ...others }, call) {
    const { values, inputs } = separate(qkv, call.inputs.qkv);
    const parts = attentionGradient.reference(
      { ...values, ...others },
      {
        ...call,
        inputs: { ...call.inputs, ...inputs },
        outputs: { queryGradient: inputs.query, keyGradient: inputs.key, valueGradient: inputs.value },
      },
    );
    const dimension = inputs.query.shape[3]!;
    const qkvGradient = new Float64Array(qkv.length);
    Object.values(parts).forEach((part, index) => {
      for (let row = 0; row < part.length / dimension; row++) {
        qkvGradient.set(part.subarray(row * dimension, (row + 1) * dimension), (3 * row + index) * dimension);
      }
    });
    return { qkvGradient };
  },
  cost: ({ inputs, attrs }) => ({
    flops: gradientFlops(packedLayout(name, inputs, attrs)),
    bytes: 2 * bytesOf(inputs.qkv) + 2 * bytesOf(inputs.y) + bytesOf(inputs.logSumExp),
  }),
  cases: packedCases((qkv, y) => ({ qkv, y, logSumExp: logSumExpOf(y, y.shape[1]!), gradient: y })),
  refusals: [
    {
      inputs: {
        qkv: { shape: [2, 4, 2, 24], dtype: "f16" },
        y: { shape: [2, 4, 2, 8], dtype: "f16" },
        logSumExp: [2, 2, 4],
        gradient: [2, 4, 2, 8],
      },
      attrs: { scale: 1 },
      message: /attentionPackedGradient: gradient must be f16 beside a query of f16, but is f32/,
    },
    {
      inputs: { qkv: [2, 4, 2, 24], y: [2, 4, 2, 8], logSumExp: [2, 4, 2], gradient: [2, 4, 2, 8] },
      attrs: { scale: 1 },
      message: /attentionPackedGradient: logSumExp must be \[2, 2, 4\] .* but is \[2, 4, 2\]/,
    },
    {
      inputs: { qkv: [2, 4, 2, 24], y: [2, 4, 2, 8], logSumExp: [2, 2, 4], gradient: [2, 4, 2, 24] },
      attrs: { scale: 1 },
      message: /attentionPackedGradient: gradient must be \[2, 4, 2, 8\] .* but is \[2, 4, 2, 24\]/,
    },
    {
      inputs: { qkv: [2, 4, 2, 16], y: [2, 4, 2, 8], logSumExp: [2, 2, 4], gradient: [2, 4, 2, 8] },
      attrs: { scale: 1 },
      message: /attentionPackedGradient: qkv must be \[N, T, heads, 3·D\]/,
    },
  ],
});
