/** Reductions, softmax, running totals and sorting as methods; see the function of the same name. */
import type { DType } from "@ddad/kernels-wgsl";
import type * as ops from "../ops/index.ts";
import type { Tensor } from "../tensor.ts";

type Axes = number | readonly number[];

/** Methods of a tensor whose elements are of type `D`. They are installed with the others, in `methods.ts`. */
export interface ReductionMethods<D extends DType> {
  sum<T extends DType>(
    axes: Axes | undefined,
    options: ops.SumOptions & { readonly dtype: T },
  ): Tensor<ops.Kind<T>>;
  sum(axes?: Axes, options?: ops.ReduceOptions): Tensor<ops.Summed<D>>;
  prod<T extends DType>(
    axes: Axes | undefined,
    options: ops.SumOptions & { readonly dtype: T },
  ): Tensor<ops.Kind<T>>;
  prod(axes?: Axes, options?: ops.ReduceOptions): Tensor<ops.Summed<D>>;
  mean(axes?: Axes, options?: ops.ReduceOptions): Tensor;
  max(axes?: Axes, options?: ops.ReduceOptions): Tensor<D>;
  min(axes?: Axes, options?: ops.ReduceOptions): Tensor<D>;
  any(axes?: Axes, options?: ops.ReduceOptions): Tensor<"bool">;
  all(axes?: Axes, options?: ops.ReduceOptions): Tensor<"bool">;
  /** The function is called `variance`, because `var` is a reserved word. */
  var(axes?: Axes, options?: ops.VarianceOptions): Tensor;
  std(axes?: Axes, options?: ops.VarianceOptions): Tensor;
  norm(axes?: Axes, options?: ops.NormOptions): Tensor;
  logSumExp(axes?: Axes, options?: ops.ReduceOptions): Tensor;
  softmax(axis?: number): Tensor;
  logSoftmax(axis?: number): Tensor;
  cumsum(axis?: number, options?: ops.CumulativeOptions): Tensor<ops.Summed<D>>;
  cumprod(axis?: number, options?: ops.CumulativeOptions): Tensor<ops.Summed<D>>;
  argmax(axis?: number, options?: ops.ReduceOptions): Tensor<"i32">;
  argmin(axis?: number, options?: ops.ReduceOptions): Tensor<"i32">;
  sort(options?: ops.SortOptions): ops.Sorted<D>;
  argsort(options?: ops.SortOptions): Tensor<"i32">;
  topK(k: number, options?: ops.TopKOptions): ops.Sorted<D>;
}
