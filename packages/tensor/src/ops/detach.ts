import type { DType } from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import { recordView, zeroGradient } from "../record.ts";
import type { Tensor } from "../tensor.ts";

/** The same elements, without a copy, as a constant: no gradient passes through to x. */
export function detach<D extends DType>(x: Tensor<D>): Tensor<D> {
  checkTensor("detach", "x", x);
  return recordView("detach", x, x.shape, { x: zeroGradient });
}
