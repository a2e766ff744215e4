import type { Tensor } from "../tensor.ts";
import { normaliseAxes } from "./axes.ts";
import { mul } from "./elementwise.ts";
import { type ReduceOptions, sum } from "./sum.ts";

/** Mean over `axes` (negative ones count from the end; default all). */
export function mean(x: Tensor, axes?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  const reduced = normaliseAxes("mean", x.shape, axes);
  const count = reduced.reduce((product, axis) => product * x.shape[axis]!, 1);
  return mul(sum(x, reduced, options), 1 / count);
}
