import { argmax as argmaxKernel, argmin as argminKernel, type Kernel } from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { AnyTensor, Tensor } from "../tensor.ts";
import { dropAxes, normaliseAxis } from "./axes.ts";
import { reshape } from "./reshape.ts";
import type { ReduceOptions } from "./sum.ts";

const extremum =
  (name: string, kernel: Kernel<"x", "y", { readonly axis: number }, "rows" | "columns" | "inner">) =>
  (x: AnyTensor, axis?: number, options: ReduceOptions = {}): Tensor<"i32"> => {
    const { keepDims = false } = checkOptions(name, options, ["keepDims"]);
    checkTensor(name, "x", x);
    const along = axis === undefined ? 0 : normaliseAxis(name, x, axis);
    const lines = axis === undefined ? reshape(x, [x.size]) : x;
    const { y }: Record<"y", Tensor<"i32">> = record(kernel, { x: lines }, { axis: along });
    if (axis === undefined) return reshape(y, keepDims ? x.shape.map(() => 1) : []);
    return keepDims ? y : reshape(y, dropAxes(x.shape, [along]));
  };

/**
 * Where the largest element along `axis` is, as i32; without an axis, its place in the flattened tensor. Of equals the first; that of the
 * first NaN where there is one.
 *
 * @throws ShapeError where there is an output without elements, or no such axis
 */
export const argmax = extremum("argmax", argmaxKernel);

/**
 * Where the smallest element along `axis` is, as i32; without an axis, its place in the flattened tensor. Of equals the first; that of
 * the first NaN where there is one.
 *
 * @throws ShapeError where there is an output without elements, or no such axis
 */
export const argmin = extremum("argmin", argminKernel);
