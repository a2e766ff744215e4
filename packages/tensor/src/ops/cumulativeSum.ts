import { cumulativeSum as kernel } from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";

/** Options of `cumulativeSum`. */
export interface CumulativeSumOptions {
  /** Sum from the end towards the start. Default false. */
  readonly reverse?: boolean;
}

/** Running sum along the last axis: x [..., C] → the same shape, whose element i is x₀ + … + xᵢ. */
export function cumulativeSum(x: Tensor, { reverse = false }: CumulativeSumOptions = {}): Tensor {
  return record(
    kernel,
    { x },
    { reverse },
    { x: ({ y: gradient }) => cumulativeSum(gradient, { reverse: !reverse }) },
  ).y;
}
