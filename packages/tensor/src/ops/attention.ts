import {
  attentionGradient,
  attentionPackedGradient,
  attention as kernel,
  attentionPacked as packedKernel,
} from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { once } from "./once.ts";

/** Options of `attention` and `attentionPacked`. */
export interface AttentionOptions {
  /** Multiplies the logits. Default 1/√D. */
  readonly scale?: number;
}

/**
 * softmax(scale · q kᵀ) v for each head: query [N, T, heads, D], key and value [N, S, heads, D] → [N, T, heads, D].
 * All are f32 or all f16; logits, softmax and sums are f32. The T × S matrix is never kept, neither here nor for the gradient
 * (Dao et al. 2022).
 */
export function attention(query: Tensor, key: Tensor, value: Tensor, options: AttentionOptions = {}): Tensor {
  const attrs = { scale: options.scale ?? 1 / Math.sqrt(query.shape.at(-1) ?? 1) };
  const all = once((gradient) =>
    record(attentionGradient, { query, key, value, y: out.y, logSumExp: out.logSumExp, gradient }, attrs),
  );
  const out: Record<"y" | "logSumExp", Tensor> = record(kernel, { query, key, value }, attrs, {
    query: ({ y: g }) => all(g).queryGradient,
    key: ({ y: g }) => all(g).keyGradient,
    value: ({ y: g }) => all(g).valueGradient,
  });
  return out.y;
}

/**
 * Self-attention on the result of one projection: qkv [N, T, heads, 3·D], in which q, k and v of each head lie behind one
 * another, → [N, T, heads, D]. As `attention` of its three parts, which are not copied out, and its gradient is one tensor, too.
 */
export function attentionPacked(qkv: Tensor, options: AttentionOptions = {}): Tensor {
  const attrs = { scale: options.scale ?? 1 / Math.sqrt((qkv.shape.at(-1) ?? 3) / 3) };
  const out: Record<"y" | "logSumExp", Tensor> = record(packedKernel, { qkv }, attrs, {
    qkv: ({ y: gradient }) =>
      record(attentionPackedGradient, { qkv, y: out.y, logSumExp: out.logSumExp, gradient }, attrs)
        .qkvGradient,
  });
  return out.y;
}
