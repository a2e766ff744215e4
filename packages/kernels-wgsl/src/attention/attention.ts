/**
 * Scaled dot-product attention that never stores the matrix of weights (Dao et al. 2022, arXiv 2205.14135).
 *
 * WGSL: `workgroupTiles.ts` (GPUs), `registerTiles.ts` (software adapters); as products with the weights in memory
 * `matrixProducts.ts` and `softmaxPass.ts`. `npm run wgsl -- attention "odd sizes"` prints what a case runs.
 */
import { defineKernel, type Fill } from "../kernel.ts";
import { bytesOf } from "../spec.ts";
import { attentionCases } from "./cases.ts";
import {
  type AttentionAttrs,
  type AttentionSizes,
  attentionParams,
  attentionValues,
  forwardFlops,
  forwardOutputs,
  type SeparateInputs,
  separateLayout,
} from "./shared.ts";
import { forwardVariants } from "./variants.ts";

const name = "attention";

const growing: Fill = (index, uniform) => (index / 8) * (1 + uniform());

/**
 * y = softmax(scale · q kᵀ) v for every image and head; causal: over the keys up to the query's own position. Inputs query [N, T, heads, D], key and value [N, S, heads, D];
 * outputs y [N, T, heads, D] of their type and logSumExp [N, heads, T] in f32, the logarithm of the softmax's denominator, from
 * which the gradient recomputes the weights.
 */
export const attention = defineKernel({
  name,
  inputs: ["query", "key", "value"],
  outputs: ["y", "logSumExp"],
  params: attentionParams,
  infer(inputs, attrs: AttentionAttrs) {
    const layout = separateLayout(name, inputs, attrs);
    return { outputs: forwardOutputs(layout), params: attentionValues(layout, attrs) };
  },
  variants: forwardVariants((inputs: SeparateInputs, attrs) => separateLayout(name, inputs, attrs)),
  reference({ query, key, value }, { inputs, attrs }) {
    const sizes = separateLayout(name, inputs, attrs);
    const { images, queries, keys, heads, dimension } = sizes;
    const y = new Float64Array(query.length);
    const logSumExp = new Float64Array(images * heads * queries);
    forEachQuery(sizes, (image, head, t) => {
      const logits = logitsOf(query, key, sizes, attrs.scale, image, head, t);
      const top = logits.reduce((largest, logit) => Math.max(largest, logit));
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0);
      for (let s = 0; s < keys; s++) {
        const weight = Math.exp(logits[s]! - top) / total;
        for (let d = 0; d < dimension; d++) {
          y[((image * queries + t) * heads + head) * dimension + d]! +=
            weight * value[((image * keys + s) * heads + head) * dimension + d]!;
        }
      }
      logSumExp[(image * heads + head) * queries + t] = top + Math.log(total);
    });
    return { y, logSumExp };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: forwardFlops(separateLayout(name, inputs, attrs)),
    bytes: [inputs.query, inputs.key, inputs.value, outputs.y, outputs.logSumExp].reduce(
      (sum, tensor) => sum + bytesOf(tensor),
      0,
    ),
  }),
  cases: [
    ...attentionCases((query, key) => ({ query, key, value: key })),
    {
      // Up to e^70 between weights of one row, and the largest comes last.
      name: "large and growing logits",
      inputs: {
        query: { shape: [1, 9, 1, 4], fill: growing },
        key: { shape: [1, 40, 1, 4], fill: growing },
        value: [1, 40, 1, 4],
      },
      attrs: { scale: 0.05 },
    },
  ],
  refusals: [
    {
      inputs: { query: [2, 4, 2, 8], key: [2, 5, 2, 4], value: [2, 5, 2, 4] },
      attrs: { scale: 1 },
      message: /attention: key must have the N, heads and D of query \[2, 4, 2, 8\], but is \[2, 5, 2, 4\]/,
    },
    {
      inputs: { query: [2, 4, 2, 8], key: [2, 5, 2, 8], value: [2, 4, 2, 8] },
      attrs: { scale: 1 },
      message: /attention: value must have the shape of key \[2, 5, 2, 8\], but is \[2, 4, 2, 8\]/,
    },
    {
      inputs: { query: [2, 4, 16], key: [2, 4, 16], value: [2, 4, 16] },
      attrs: { scale: 1 },
      message: /attention: query must be \[N, T, heads, D\] but is \[2, 4, 16\]/,
    },
    {
      inputs: { query: [1, 4, 1, 512], key: [1, 4, 1, 512], value: [1, 4, 1, 512] },
      attrs: { scale: 1 },
      message: /attention: D of query \[1, 4, 1, 512\] is more than 256; use more heads/,
    },
    {
      inputs: { query: [1, 4, 1, 8], key: [1, 0, 1, 8], value: [1, 0, 1, 8] },
      attrs: { scale: 1 },
      message: /attention: key \[1, 0, 1, 8\] has no tokens to attend to/,
    },
    {
      inputs: { query: { shape: [1, 4, 1, 8], dtype: "i32" }, key: [1, 4, 1, 8], value: [1, 4, 1, 8] },
      attrs: { scale: 1 },
      message: /attention: query must be f32 or f16 but is i32/,
    },
    {
      inputs: { query: { shape: [1, 4, 1, 8], dtype: "f16" }, key: [1, 4, 1, 8], value: [1, 4, 1, 8] },
      attrs: { scale: 1 },
      message: /attention: key must be f16 as query is, but is f32/,
    },
  ],
});

/** Calls `visit` for every query of every head of every image. */
export function forEachQuery(
  { images, heads, queries }: AttentionSizes,
  visit: (image: number, head: number, query: number) => void,
): void {
  for (let image = 0; image < images; image++)
    for (let head = 0; head < heads; head++)
      for (let query = 0; query < queries; query++) visit(image, head, query);
}

/** scale · q·k of one query with every key; −∞ of those that it does not see. */
export function logitsOf(
  query: ArrayLike<number>,
  key: ArrayLike<number>,
  { queries, keys, heads, dimension, causal }: AttentionSizes,
  scale: number,
  image: number,
  head: number,
  t: number,
): Float64Array {
  return Float64Array.from({ length: keys }, (_, s) => {
    if (causal && s > t) return Number.NEGATIVE_INFINITY;
    let logit = 0;
    for (let d = 0; d < dimension; d++) {
      logit +=
        query[((image * queries + t) * heads + head) * dimension + d]! *
        key[((image * keys + s) * heads + head) * dimension + d]!;
    }
    return scale * logit;
  });
}
