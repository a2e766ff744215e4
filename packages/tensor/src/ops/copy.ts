import { type DType, type Float, copy as kernel } from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";

/** The same elements in a buffer of their own. */
export function copy<D extends DType = Float>(x: Tensor<D>): Tensor<D> {
  const out: Record<"y", Tensor<D>> = record(kernel, { x }, {}, { x: ({ y: g }) => g });
  return out.y;
}
