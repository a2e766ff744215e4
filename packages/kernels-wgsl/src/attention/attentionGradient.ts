/** Gradient of attention, recomputing the weights from logSumExp (Dao et al. 2022, arXiv 2205.14135, appendix B). */
import { check } from "../errors.ts";
import { type Capabilities, defineKernel } from "../kernel.ts";
import { bytesOf, sameShape, show, spec, type TensorSpec } from "../spec.ts";
import { forEachQuery, logitsOf } from "./attention.ts";
import { fitsMatrixProducts, gradientProducts, gradientScratch } from "./matrixProducts.ts";
import { keyGradientTiles, queryGradientTiles } from "./registerTiles.ts";
import {
  type AttentionAttrs,
  attentionCases,
  attentionParams,
  attentionSizes,
  attentionValues,
} from "./shared.ts";
import { keyGradientWorkgroups, queryGradientWorkgroups } from "./workgroupTiles.ts";

const name = "attentionGradient";

/** δ of each query, which the pass for queries leaves for the pass for keys. */
const scratch = (_caps: Capabilities, { inputs }: { inputs: { logSumExp: TensorSpec } }) => ({
  delta: spec(inputs.logSumExp.shape),
});

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
    const sizes = attentionSizes(name, inputs);
    const { images, queries, heads } = sizes;
    const expected = {
      y: inputs.query.shape,
      logSumExp: [images, heads, queries],
      gradient: inputs.query.shape,
    };
    for (const [input, shape] of Object.entries(expected)) {
      const given = inputs[input as keyof typeof expected];
      check(given.dtype === "f32", name, `${input} must be f32 but is ${given.dtype}; cast it first.`);
      check(
        sameShape(given.shape, shape),
        name,
        `${input} must be ${show(shape)} for query ${show(inputs.query.shape)}, but is ${show(given.shape)}.`,
      );
    }
    return {
      outputs: {
        queryGradient: spec(inputs.query.shape),
        keyGradient: spec(inputs.key.shape),
        valueGradient: spec(inputs.value.shape),
      },
      params: attentionValues(sizes, attrs),
    };
  },
  variants: [
    {
      name: "matrix products",
      when: (caps, { inputs }) => fitsMatrixProducts(caps, attentionSizes(name, inputs)),
      scratch: (_caps, { inputs }) => gradientScratch(attentionSizes(name, inputs)),
      passes: (caps, { inputs }) => gradientProducts(caps, attentionSizes(name, inputs)),
    },
    {
      name: "register tiles",
      when: ({ adapterClass }) => adapterClass === "software",
      scratch,
      passes(_caps, { inputs }) {
        const sizes = attentionSizes(name, inputs);
        return [queryGradientTiles(sizes), keyGradientTiles(sizes)];
      },
    },
    {
      name: "workgroup tiles",
      scratch,
      passes(_caps, { inputs }) {
        const sizes = attentionSizes(name, inputs);
        return [queryGradientWorkgroups(sizes), keyGradientWorkgroups(sizes)];
      },
    },
  ],
  reference({ query, key, value, y, logSumExp, gradient }, { inputs, attrs: { scale } }) {
    const sizes = attentionSizes(name, inputs);
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
  cost({ inputs }) {
    const { images, queries, keys, heads, dimension } = attentionSizes(name, inputs);
    return {
      // Five products of 2 D each, if nothing is computed twice.
      flops: images * heads * queries * keys * (10 * dimension + 5),
      bytes: 4 * bytesOf(inputs.query) + 4 * bytesOf(inputs.key) + bytesOf(inputs.logSumExp),
    };
  },
  cases: attentionCases((query, key) => ({
    query,
    key,
    value: key,
    y: query,
    // About what unit logits give; the formula is linear in the weights, so that any value tests it.
    logSumExp: {
      shape: [query[0]!, query[2]!, query[1]!],
      fill: (_index, uniform) => Math.log(key[1]!) + uniform(),
    },
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
