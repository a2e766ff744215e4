/** Gradient of attention, recomputing the weights from logSumExp (Dao et al. 2022, arXiv 2205.14135, appendix B). */
import { defineKernel } from "../kernel.ts";
import { bytesOf } from "../spec.ts";
import { forEachQuery, logitsOf } from "./attention.ts";
import { attentionCases, logSumExpOf } from "./cases.ts";
import {
  type AttentionAttrs,
  attentionParams,
  attentionValues,
  checkForwardOutputs,
  gradientFlops,
  type SeparateInputs,
  separateLayout,
} from "./shared.ts";
import { gradientVariants } from "./variants.ts";

const name = "attentionGradient";

/**
 * With P = exp(scale · q kᵀ − logSumExp), dP = dy vᵀ and δ = Σ dy ∘ y of a row: dv = Pᵀ dy, dS = P ∘ (dP − δ),
 * dq = scale · dS k, dk = scale · dSᵀ q. Inputs query, key, value, y, logSumExp as attention took and gave them, gradient
 * of y; outputs queryGradient, keyGradient, valueGradient.
 */
export const attentionGradient = defineKernel({
  name,
  inputs: ["query", "key", "value", "y", "logSumExp", "gradient"],
  outputs: ["queryGradient", "keyGradient", "valueGradient"],
  params: attentionParams,
  infer(inputs, attrs: AttentionAttrs) {
    const layout = separateLayout(name, inputs, attrs);
    checkForwardOutputs(name, layout, inputs);
    return {
      outputs: {
        queryGradient: inputs.query,
        keyGradient: inputs.key,
        valueGradient: inputs.value,
      },
      params: attentionValues(layout, attrs),
    };
  },
  variants: gradientVariants((inputs: SeparateInputs, attrs) => separateLayout(name, inputs, attrs)),
  reference({ query, key, value, y, logSumExp, gradient }, { inputs, attrs }) {
    const sizes = separateLayout(name, inputs, attrs);
    const { scale } = attrs;
    const { queries, keys, heads, dimension } = sizes;
    const queryGradient = new Float64Array(query.length);
    const keyGradient = new Float64Array(key.length);
    const valueGradient = new Float64Array(value.length);
    forEachQuery(sizes, (image, head, t) => {
      const row = ((image * queries + t) * heads + head) * dimension;
      const logits = logitsOf(query, key, sizes, scale, image, head, t);
      const normaliser = logSumExp[(image * heads + head) * queries + t]!;
      let delta = 0;
      for (let d = 0; d < dimension; d++) delta += gradient[row + d]! * y[row + d]!;
      for (let s = 0; s < keys; s++) {
        const other = ((image * keys + s) * heads + head) * dimension;
        const weight = Math.exp(logits[s]! - normaliser);
        let weightGradient = 0;
        for (let d = 0; d < dimension; d++) weightGradient += gradient[row + d]! * value[other + d]!;
        const logitGradient = weight * (weightGradient - delta);
        for (let d = 0; d < dimension; d++) {
          valueGradient[other + d]! += weight * gradient[row + d]!;
          queryGradient[row + d]! += scale * logitGradient * key[other + d]!;
          keyGradient[other + d]! += scale * logitGradient * query[row + d]!;
        }
      }
    });
    return { queryGradient, keyGradient, valueGradient };
  },
  cost: ({ inputs, attrs }) => ({
    flops: gradientFlops(separateLayout(name, inputs, attrs)),
    bytes: 4 * bytesOf(inputs.query) + 4 * bytesOf(inputs.key) + bytesOf(inputs.logSumExp),
  }),
  cases: attentionCases((query, key) => ({
    query,
    key,
    value: key,
    y: query,
    logSumExp: logSumExpOf(query, key.shape[1]!),
    gradient: query,
  })),
  refusals: [
    {
      inputs: {
        query: [2, 4, 2, 8],
        key: [2, 5, 2, 8],
        value: [2, 5, 2, 8],
        y: [2, 4, 2, 8],
        logSumExp: [2, 4, 2],
        gradient: [2, 4, 2, 8],
      },
      attrs: { scale: 1 },
      message:
        /attentionGradient: logSumExp must be \[2, 2, 4\] for query \[2, 4, 2, 8\], but is \[2, 4, 2\]/,
    },
    {
      inputs: {
        query: [2, 4, 2, 8],
        key: [2, 5, 2, 8],
        value: [2, 5, 2, 8],
        y: [2, 4, 2, 8],
        logSumExp: [2, 2, 4],
        gradient: [2, 5, 2, 8],
      },
      attrs: { scale: 1 },
      message: /attentionGradient: gradient must be \[2, 4, 2, 8\]/,
    },
    {
      inputs: {
        query: [2, 4, 2, 8],
        key: [2, 5, 1, 8],
        value: [2, 5, 2, 8],
        y: [2, 4, 2, 8],
        logSumExp: [2, 2, 4],
        gradient: [2, 4, 2, 8],
      },
      attrs: { scale: 1 },
      message: /attentionGradient: key must have the N, heads and D of query/,
    },
  ],
});
