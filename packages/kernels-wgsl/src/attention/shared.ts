/** What attention and its gradient share: sizes, checks, and the sizes they are tried with. */
import { check } from "../errors.ts";
import type { Case } from "../kernel.ts";
import { type Shape, sameShape, show, type TensorSpec } from "../spec.ts";

/** Attributes of `attention` and its gradient. */
export interface AttentionAttrs {
  /** Multiplies the logits q·k; 1/√D in most networks. */
  readonly scale: number;
}

/** The uniform struct of the attention kernels. */
export const attentionParams = {
  images: "u32",
  queries: "u32",
  keys: "u32",
  heads: "u32",
  /** Loads that a row of D numbers takes. */
  columns: "u32",
  scale: "f32",
} as const;

export interface AttentionSizes {
  readonly images: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  readonly dimension: number;
}

/** The largest D: a thread keeps whole rows in registers. */
const largestDimension = 256;

/** query [N, T, heads, D], key and value [N, S, heads, D]. */
export function attentionSizes(
  op: string,
  { query, key, value }: Record<"query" | "key" | "value", TensorSpec>,
): AttentionSizes {
  for (const [name, { dtype, shape }] of Object.entries({ query, key, value })) {
    check(dtype === "f32", op, `${name} must be f32 but is ${dtype}; cast it first.`);
    check(shape.length === 4, op, `${name} must be [N, T, heads, D] but is ${show(shape)}.`);
  }
  const [images, queries, heads, dimension] = query.shape as [number, number, number, number];
  const keys = key.shape[1]!;
  check(
    sameShape(key.shape, [images, keys, heads, dimension]),
    op,
    `key must have the N, heads and D of query ${show(query.shape)}, but is ${show(key.shape)}.`,
  );
  check(
    sameShape(value.shape, key.shape),
    op,
    `value must have the shape of key ${show(key.shape)}, but is ${show(value.shape)}.`,
  );
  check(keys >= 1, op, `key ${show(key.shape)} has no tokens to attend to.`);
  check(
    dimension <= largestDimension,
    op,
    `D of query ${show(query.shape)} is more than ${largestDimension}; use more heads.`,
  );
  return { images, queries, keys, heads, dimension };
}

/** WGSL type of one load: four numbers where they divide D evenly. */
export const loadType = ({ dimension }: AttentionSizes): "f32" | "vec4<f32>" =>
  dimension % 4 === 0 ? "vec4<f32>" : "f32";

/** The uniform struct's values. */
export const attentionValues = (sizes: AttentionSizes, { scale }: AttentionAttrs) => ({
  images: sizes.images,
  queries: sizes.queries,
  keys: sizes.keys,
  heads: sizes.heads,
  columns: sizes.dimension / (loadType(sizes) === "f32" ? 1 : 4),
  scale,
});

/** Sizes that forward and gradient are tried with. */
export const attentionCases = <I extends string>(
  inputs: (query: Shape, key: Shape) => Case<I>["inputs"],
): Case<I, AttentionAttrs>[] => {
  const example = (name: string, [n, t, h, d]: [number, number, number, number], keys = t) => ({
    name,
    inputs: inputs([n, t, h, d], [n, keys, h, d]),
    attrs: { scale: 1 / Math.sqrt(d) },
  });
  return [
    example("one token, one dimension", [1, 1, 1, 1], 3),
    example("odd sizes", [2, 13, 3, 7], 5),
    example("fewer queries than a tile", [1, 3, 2, 8], 37),
    example("tile borders + 1", [1, 65, 1, 16], 33),
    example("eight tokens short", [2, 56, 2, 32]),
    example("D 36", [1, 19, 1, 36], 17),
    example("D 64", [1, 67, 2, 64]),
    example("D 68", [1, 35, 1, 68], 18),
    { ...example("[2, 64, 4, 64]", [2, 64, 4, 64]), bench: true },
    { ...example("[2, 256, 4, 32]", [2, 256, 4, 32]), bench: true },
    { ...example("[1, 1024, 4, 64]", [1, 1024, 4, 64]), benchOnly: true },
    { ...example("[4, 256, 4, 128]", [4, 256, 4, 128]), benchOnly: true },
  ];
};
