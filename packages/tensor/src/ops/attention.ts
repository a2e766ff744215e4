import { attentionGradient, attention as kernel } from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { once } from "./once.ts";

/** Options of `attention`. */
export interface AttentionOptions {
  /** Multiplies the logits. Default 1/√D. */
  readonly scale?: number;
}

/**
 * softmax(scale · q kᵀ) v for each head: query [N, T, heads, D], key and value [N, S, heads, D] → [N, T, heads, D].
 * The T × S matrix is never stored, neither here nor for the gradient (Dao et al. 2022).
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
