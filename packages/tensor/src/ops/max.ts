import {
  type DType,
  type Float,
  type Kernel,
  max as maxKernel,
  min as minKernel,
  type ReduceAttrs,
} from "@ddad/kernels-wgsl";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { dropAxes, normaliseAxes } from "./axes.ts";
import { cast, div, equal, mul } from "./elementwise.ts";
import { reshape } from "./reshape.ts";
import { type ReduceOptions, sum } from "./sum.ts";

const extremum =
  (name: string, kernel: Kernel<"x", "y", ReduceAttrs, "outputs" | "reduced">) =>
  <D extends DType = Float>(
    x: Tensor<D>,
    axes?: number | readonly number[],
    options: ReduceOptions = {},
  ): Tensor<D> => {
    const { keepDims = false } = checkOptions(name, options, ["keepDims"]);
    const reduced = normaliseAxes(name, x, axes);
    const {
      y,
    }: Record<"y", Tensor<D>> = record(
      kernel,
      { x },
      { axes: reduced },
      {
        x({ y: g }): Tensor {
          const mask = cast(equal<DType>(x, y), x.dtype as Float);
          return mul(mask, div(g, sum(mask, reduced, { keepDims: true })));
        },
      },
    );
    return keepDims ? y : reshape(y, dropAxes(x.shape, reduced));
  };

/**
 * Largest element over `axes` (default all), of x's type; NaN where one of them is NaN. Elements that tie for it share the gradient.
 *
 * @throws ShapeError where there is an output without elements
 */
export const max = extremum("max", maxKernel);

/**
 * Smallest element over `axes` (default all), of x's type; NaN where one of them is NaN. Elements that tie for it share the gradient.
 *
 * @throws ShapeError where there is an output without elements
 */
export const min = extremum("min", minKernel);
