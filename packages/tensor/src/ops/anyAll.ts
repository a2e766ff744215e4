import { all as allKernel, any as anyKernel, type Kernel, type ReduceAttrs } from "@ddad/kernels-wgsl";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { AnyTensor, Tensor } from "../tensor.ts";
import { dropAxes, normaliseAxes } from "./axes.ts";
import { cast } from "./elementwise.ts";
import { reshape } from "./reshape.ts";
import type { ReduceOptions } from "./sum.ts";

const logical =
  (name: string, kernel: Kernel<"x", "y", ReduceAttrs, "outputs" | "reduced">) =>
  (x: AnyTensor, axes?: number | readonly number[], options: ReduceOptions = {}): Tensor<"bool"> => {
    const { keepDims = false } = checkOptions(name, options, ["keepDims"]);
    const reduced = normaliseAxes(name, x, axes);
    const { y }: Record<"y", Tensor<"bool">> = record(kernel, { x: cast(x, "bool") }, { axes: reduced });
    return keepDims ? y : reshape(y, dropAxes(x.shape, reduced));
  };

/** Whether any element over `axes` (default all) is not zero, as bool. NaN counts as not zero. False for no elements. */
export const any = logical("any", anyKernel);

/** Whether all elements over `axes` (default all) are not zero, as bool. NaN counts as not zero. True for no elements. */
export const all = logical("all", allKernel);
