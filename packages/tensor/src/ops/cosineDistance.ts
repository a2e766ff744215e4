import { cosineDistanceGradient, cosineDistance as kernel } from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { once } from "./once.ts";

/** Options of `cosineDistance`. */
export interface CosineDistanceOptions {
  /** Lower bound of the product of the two lengths. Default 1e-8. */
  readonly epsilon?: number;
}

/** 1 − a·b / (|a| |b|) along the last axis: a, b […, C] → […]. A row of zeros is at distance 1 from everything. */
export function cosineDistance(a: Tensor, b: Tensor, { epsilon = 1e-8 }: CosineDistanceOptions = {}): Tensor {
  const attrs = { epsilon };
  const both = once((gradient) => record(cosineDistanceGradient, { a, b, gradient }, attrs));
  return record(kernel, { a, b }, attrs, {
    a: ({ y: g }) => both(g).aGradient,
    b: ({ y: g }) => both(g).bGradient,
  }).y;
}
