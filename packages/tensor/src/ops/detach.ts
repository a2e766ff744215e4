import type { DType } from "@ddad/kernels-wgsl";
import { recordView, zeroGradient } from "../record.ts";
import type { Tensor } from "../tensor.ts";

/** The same elements, without a copy, as a constant: no gradient passes through to x. */
export const detach = <D extends DType>(x: Tensor<D>): Tensor<D> =>
  recordView("detach", x, x.shape, { x: zeroGradient });
