/** Rows by index, and the sum that goes back: each is the other's gradient, so they stand together. */
import {
  type DType,
  type Float,
  gather as gatherKernel,
  scatterAdd as scatterAddKernel,
} from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { normaliseAxis } from "./axes.ts";

/** What names places: whole numbers. */
export type IndexTensor = Tensor<"i32" | "u32">;

/**
 * Elements of `x` by their places along `axis`: the axes of `index` (i32 or u32, of any shape) take the place of that axis, so x
 * [R, C] and index [K] give [K, C]. Negative indices count from the end. An index outside of −R … R − 1 gives zeros.
 */
export function gather<D extends DType = Float>(x: Tensor<D>, index: IndexTensor, axis = 0): Tensor<D> {
  checkTensor("gather", "index", index);
  const along = x.shape.length ? normaliseAxis("gather", x, axis) : 0;
  const rows = x.shape[along]!;
  const out: Record<"y", Tensor<D>> = record(
    gatherKernel,
    { x, index },
    { axis: along },
    { x: ({ y: g }) => collect(g, index, along, rows) },
  );
  return out.y;
}

/** The gradient of `gather`: sums what was taken from one place, `rows` places along `axis`. */
function collect(gradient: Tensor, index: IndexTensor, axis: number, rows: number): Tensor {
  return record(
    scatterAddKernel,
    { gradient, index },
    { axis, rows },
    { gradient: ({ xGradient: g }) => gather(g, index, axis) },
  ).xGradient;
}
