import type { DType, Float } from "@ddad/kernels-wgsl";
import type { Tensor } from "../tensor.ts";
import { normaliseAxes } from "./axes.ts";
import { reverse } from "./box.ts";

/** Reverses the order of elements along `axes` (default all; negative ones count from the end). */
export const flip = <D extends DType = Float>(x: Tensor<D>, axes?: number | readonly number[]): Tensor<D> =>
  reverse(x, normaliseAxes("flip", x, axes));
