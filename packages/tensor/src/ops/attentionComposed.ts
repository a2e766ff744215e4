/** Attention in simple operations: the definition of the fused kernels, and the path for calls that they do not take. */
import { type Shape, ShapeError, show } from "@ddad/kernels-wgsl";
import { arange } from "../create.ts";
import type { Tensor } from "../tensor.ts";
import { add, cast, greaterEqual, mul, where } from "./elementwise.ts";
import { matmul } from "./matmul.ts";
import { permute } from "./permute.ts";
import { reshape } from "./reshape.ts";
import { softmax } from "./softmax.ts";

/** bool (true: attend) or floats that are added. */
export type AttentionMask = Tensor | Tensor<"bool">;

const isBool = (mask: AttentionMask): mask is Tensor<"bool"> => mask.dtype === "bool";

/** What decides attention besides its operands. */
export interface AttentionSettings {
  readonly scale: number;
  /** bool or float, broadcast to [N, heads, T, S]. */
  readonly mask?: AttentionMask | undefined;
  readonly causal?: boolean;
}

/** Operands of `attention`: query [N, T, heads, D], key [N, S, groups, D], value [N, S, groups, Dv]; groups divide heads. */
export type AttentionOperands = Readonly<Record<"query" | "key" | "value", Tensor>>;

/** softmax(scale · q kᵀ + mask) v for each head → [N, T, heads, Dv], f32. Keeps all T × S weights. */
export function attentionComposed(
  { query, key, value }: AttentionOperands,
  { scale, mask, causal = false }: AttentionSettings,
): Tensor {
  const [images, queries, heads, dimension] = query.shape as [number, number, number, number];
  const [, keys, groups, width] = value.shape as [number, number, number, number];
  const members = groups ? heads / groups : 0;
  // The heads that share a key are further rows of one product.
  const split = reshape(cast(query, "f32"), [images, queries, groups, members, dimension]);
  const q = reshape(permute(split, [0, 2, 3, 1, 4]), [images * groups, members * queries, dimension]);
  const tokens = (x: Tensor): Tensor =>
    reshape(permute(cast(x, "f32"), [0, 2, 1, 3]), [images * groups, keys, x.shape[3]!]);
  const logits = mul(matmul(q, tokens(key), { transposeB: true }), scale);
  let scores = reshape(logits, [images, heads, queries, keys]);
  if (mask) {
    scores = isBool(mask) ? where(mask, scores, -Infinity) : add(scores, cast(mask, "f32"));
  }
  if (causal) scores = where(lowerTriangle(queries, keys), scores, -Infinity);
  const weights = reshape(softmax(scores), [images * groups, members * queries, keys]);
  const y = reshape(matmul(weights, tokens(value)), [images, groups, members, queries, width]);
  return reshape(permute(y, [0, 3, 1, 2, 4]), [images, queries, heads, width]);
}

/** bool [T, S]: whether key s is not behind query t. */
const lowerTriangle = (queries: number, keys: number): Tensor<"bool"> =>
  greaterEqual(reshape(arange(queries), [queries, 1]), arange(keys));

/** The shape rules of what the kernels do not check. Throws ShapeError. */
export function checkAttention(
  { query, key, value }: AttentionOperands,
  mask: AttentionMask | undefined,
): void {
  for (const [name, { shape, dtype }] of Object.entries({ query, key, value })) {
    check(shape.length === 4, `${name} must be [N, T, heads, D] but is ${show(shape)}.`);
    check(dtype === query.dtype, `${name} must be ${query.dtype} as query is, but is ${dtype}.`);
  }
  check(
    query.dtype === "f32" || query.dtype === "f16",
    `query must be f32 or f16 but is ${query.dtype}; cast it first.`,
  );
  const [images, queries, heads, dimension] = query.shape as [number, number, number, number];
  const [, keys, groups] = key.shape as [number, number, number, number];
  check(
    key.shape[0] === images && key.shape[3] === dimension,
    `key must have the N and D of query ${show(query.shape)}, but is ${show(key.shape)}.`,
  );
  check(
    groups === heads || (groups > 0 && heads % groups === 0),
    `the heads of key must divide those of query, but key ${show(key.shape)} has ${groups} for ${heads} of query.`,
  );
  check(
    [0, 1, 2].every((axis) => value.shape[axis] === key.shape[axis]),
    `value must have the N, S and heads of key ${show(key.shape)}, but is ${show(value.shape)}.`,
  );
  if (!mask) return;
  const scores = [images, heads, queries, keys];
  check(
    mask.dtype === "bool" || mask.dtype === "f32" || mask.dtype === "f16",
    `mask must be bool (true: attend) or floats that are added, but is ${mask.dtype}; cast it first.`,
  );
  check(
    mask.shape.length <= 4 && broadcasts(mask.shape, scores),
    `mask must broadcast to [N, heads, T, S] = ${show(scores)}, but is ${show(mask.shape)}.`,
  );
}

const broadcasts = (shape: Shape, target: Shape): boolean =>
  shape.every((extent, axis) => {
    const wanted = target[axis + target.length - shape.length];
    return extent === wanted || extent === 1;
  });

function check(condition: boolean, sentence: string): void {
  if (!condition) throw new ShapeError(`attention: ${sentence}`);
}
