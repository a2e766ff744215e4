import {
  type AttentionAttrs,
  attentionGradient,
  attentionPackedGradient,
  attention as kernel,
  attentionPacked as packedKernel,
} from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import { gradientComposition } from "../autograd/gradientComposition.ts";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { type AttentionMask, attentionComposed, checkAttention } from "./attentionComposed.ts";
import { cast } from "./elementwise.ts";
import { once } from "./once.ts";
import { pad } from "./pad.ts";
import { permute } from "./permute.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";
import { broadcastTo } from "./sum.ts";

/** Options of `attentionPacked`. */
export interface AttentionPackedOptions {
  /** Multiplies the logits. Default 1/√D. */
  readonly scale?: number;
  /** Whether query t sees the keys 0 … t only. Default false. */
  readonly causal?: boolean;
}

/** Options of `attention`. */
export interface AttentionOptions extends AttentionPackedOptions {
  /**
   * Which keys a query sees: bool (true: it does) or floats that are added to the logits; broadcast to [N, heads, T, S]. A query
   * that sees no key gets NaN, as in PyTorch.
   */
  readonly mask?: AttentionMask | undefined;
}

/**
 * softmax(scale · q kᵀ + mask) v for each head: query [N, T, heads, D], key [N, S, heads, D], value [N, S, heads, Dv] →
 * [N, T, heads, Dv]. Key and value may have fewer heads, which divide those of query: neighbouring heads of query then share one.
 * All are f32 or all f16; logits, softmax and sums are f32.
 *
 * Without a mask, and up to 256 numbers a head, the T × S weights are never kept, neither here nor for the gradient (Dao et al.
 * 2022). All else is composed of simpler operations.
 */
export function attention(query: Tensor, key: Tensor, value: Tensor, options: AttentionOptions = {}): Tensor {
  for (const [name, tensor] of Object.entries({ query, key, value })) checkTensor("attention", name, tensor);
  checkOptions("attention", options, ["scale", "causal", "mask"]);
  const { mask, causal = false, scale = 1 / Math.sqrt(query.shape.at(-1) || 1) } = options;
  const operands = { query, key, value };
  checkAttention(operands, mask);
  const isEmpty = !query.size || !value.size;
  const [heads, dimension, width] = [query.shape[2]!, query.shape[3]!, value.shape[3]!];
  const widest = Math.max(dimension, width);
  if (mask || isEmpty || widest > largestDimension)
    return cast(attentionComposed(operands, { scale, mask, causal }), query.dtype);
  if (key.shape[2] !== heads)
    return attention(query, repeatHeads(key, heads), repeatHeads(value, heads), { scale, causal });
  if (dimension !== width) {
    const [q, k, v] = [query, key, value].map((x) => widen(x, widest)) as [Tensor, Tensor, Tensor];
    return slice(attention(q, k, v, { scale, causal }), [], [undefined, undefined, undefined, width]);
  }
  const attrs = attributes(scale, causal);
  const all = once((gradient) =>
    record(
      attentionGradient,
      { ...operands, y: out.y, logSumExp: out.logSumExp, gradient },
      attrs,
      gradientComposition(["query", "key", "value"], (given) => attentionComposed(given, attrs)),
    ),
  );
  const out: Record<"y" | "logSumExp", Tensor> = record(kernel, operands, attrs, {
    query: ({ y: g }) => all(g).queryGradient,
    key: ({ y: g }) => all(g).keyGradient,
    value: ({ y: g }) => all(g).valueGradient,
  });
  return out.y;
}

/** The fused kernels' largest D. */
const largestDimension = 256;

const attributes = (scale: number, causal: boolean): AttentionAttrs =>
  causal ? { scale, causal } : { scale };

/** [N, S, groups, D] → [N, S, heads, D]: each group as often as there are heads that share it. */
function repeatHeads(x: Tensor, heads: number): Tensor {
  const [images, tokens, groups, width] = x.shape as [number, number, number, number];
  const apart = reshape(x, [images, tokens, groups, 1, width]);
  const repeated = broadcastTo(apart, [images, tokens, groups, heads / groups, width]);
  return reshape(repeated, [images, tokens, heads, width]);
}

/** Zeros behind each row, up to `width` numbers. */
const widen = (x: Tensor, width: number): Tensor =>
  x.shape[3] === width ? x : pad(x, [0, 0, 0, 0], [0, 0, 0, width - x.shape[3]!]);

/**
 * Self-attention on the result of one projection: qkv [N, T, heads, 3·D], in which q, k and v of each head lie behind one
 * another, → [N, T, heads, D]. As `attention` of its three parts, which are not copied out, and its gradient is one tensor, too.
 */
export function attentionPacked(qkv: Tensor, options: AttentionPackedOptions = {}): Tensor {
  checkTensor("attentionPacked", "qkv", qkv);
  checkOptions("attentionPacked", options, ["scale", "causal"]);
  const { causal = false, scale = 1 / Math.sqrt((qkv.shape.at(-1) || 3) / 3) } = options;
  const attrs = attributes(scale, causal);
  const composed = (packed: Tensor): Tensor => attentionComposed(parts(packed), attrs);
  if (!qkv.size && qkv.shape.length === 4 && qkv.shape[3]! % 3 === 0) return cast(composed(qkv), qkv.dtype);
  const out: Record<"y" | "logSumExp", Tensor> = record(packedKernel, { qkv }, attrs, {
    qkv: ({ y: gradient }) =>
      record(
        attentionPackedGradient,
        { qkv, y: out.y, logSumExp: out.logSumExp, gradient },
        attrs,
        gradientComposition(["qkv"], (given) => composed(given.qkv)),
      ).qkvGradient,
  });
  return out.y;
}

/** Query, key and value of a packed tensor. */
function parts(qkv: Tensor): Record<"query" | "key" | "value", Tensor> {
  const [images, tokens, heads, width] = qkv.shape as [number, number, number, number];
  const apart = permute(reshape(qkv, [images, tokens, heads, 3, width / 3]), [3, 0, 1, 2, 4]);
  const part = (index: number): Tensor =>
    reshape(slice(apart, [index], [index + 1]), [images, tokens, heads, width / 3]);
  return { query: part(0), key: part(1), value: part(2) };
}
