/** Test sizes of the attention kernels. */
import type { Case, CaseInput } from "../kernel.ts";
import type { DType } from "../spec.ts";
import type { AttentionAttrs } from "./shared.ts";

type Sizes = readonly [images: number, tokens: number, heads: number, dimension: number];
type AttentionCase<I extends string> = Case<I, AttentionAttrs>;

/** About what unit logits give; the gradient is linear in the weights, so that any value tests it. */
export const logSumExpOf = ({ shape: [images, queries, heads] }: CaseInput, keys: number): CaseInput => ({
  shape: [images!, heads!, queries!],
  fill: (_index, uniform) => Math.log(keys) + uniform(),
});

const causal = <I extends string>(example: AttentionCase<I>): AttentionCase<I> => ({
  ...example,
  attrs: { ...example.attrs, causal: true },
});

export const attentionCases = <I extends string>(
  inputs: (query: CaseInput, key: CaseInput) => Case<I>["inputs"],
): AttentionCase<I>[] => {
  const example = (name: string, [n, t, h, d]: Sizes, keys = t, dtype: DType = "f32"): AttentionCase<I> => ({
    name,
    inputs: inputs({ shape: [n, t, h, d], dtype }, { shape: [n, keys, h, d], dtype }),
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
    example("f16", [2, 35, 2, 16], 20, "f16"),
    example("f16, odd sizes", [2, 13, 3, 7], 5, "f16"),
    ...[
      example("causal, odd sizes, more queries", [2, 13, 3, 7], 5),
      example("causal, more keys, D 68", [1, 6, 1, 68], 37),
      example("causal, tile borders + 1", [1, 65, 1, 16], 68),
      example("causal, f16", [1, 35, 2, 16], 36, "f16"),
    ].map(causal),
    { ...example("[2, 64, 4, 64]", [2, 64, 4, 64]), bench: true },
    { ...example("[2, 256, 4, 32]", [2, 256, 4, 32]), bench: true },
    { ...example("[1, 1024, 4, 64]", [1, 1024, 4, 64]), benchOnly: true },
    { ...example("[4, 256, 4, 128]", [4, 256, 4, 128]), benchOnly: true },
  ];
};

export const packedCases = <I extends string>(
  inputs: (qkv: CaseInput, y: CaseInput) => Case<I>["inputs"],
): AttentionCase<I>[] => {
  const example = (name: string, [n, t, h, d]: Sizes, dtype: DType = "f32"): AttentionCase<I> => ({
    name,
    inputs: inputs({ shape: [n, t, h, 3 * d], dtype }, { shape: [n, t, h, d], dtype }),
    attrs: { scale: 1 / Math.sqrt(d) },
  });
  return [
    example("one token, one dimension", [2, 1, 2, 1]),
    example("odd sizes", [2, 13, 3, 7]),
    example("tile borders + 1", [2, 33, 2, 16]),
    example("D 68", [1, 35, 1, 68]),
    example("f16", [2, 36, 2, 16], "f16"),
    example("f16, odd sizes", [2, 13, 3, 7], "f16"),
    causal(example("causal", [2, 65, 2, 16])),
    { ...example("[2, 256, 4, 32]", [2, 256, 4, 32]), bench: true },
    { ...example("[2, 256, 4, 32], f16", [2, 256, 4, 32], "f16"), benchOnly: true },
    { ...example("[1, 1024, 4, 64]", [1, 1024, 4, 64]), benchOnly: true },
  ];
};
