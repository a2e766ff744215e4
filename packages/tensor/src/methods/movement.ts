/** Shapes and movement as methods; see the function of the same name. */
import type { DType, Shape } from "@ddad/kernels-wgsl";
import type * as ops from "../ops/index.ts";
import type { Tensor } from "../tensor.ts";

type Axes = number | readonly number[];

/** Methods of a tensor whose elements are of type `D`. They are installed with the others, in `methods.ts`. */
export interface MovementMethods<D extends DType> {
  reshape(shape: Shape): Tensor<D>;
  flatten(startAxis?: number, endAxis?: number): Tensor<D>;
  squeeze(axes?: Axes): Tensor<D>;
  unsqueeze(axes: Axes): Tensor<D>;
  permute(order: readonly number[]): Tensor<D>;
  transpose(a?: number, b?: number): Tensor<D>;
  broadcastTo(shape: Shape): Tensor<D>;
  split(sizeOrSizes: number | readonly number[], axis?: number): Tensor<D>[];
  chunk(count: number, axis?: number): Tensor<D>[];
  tile(repeats: readonly number[]): Tensor<D>;
  repeat(count: number, axis: number): Tensor<D>;
  flip(axes?: Axes): Tensor<D>;
  roll(shifts: Axes, axes?: Axes): Tensor<D>;
  slice(start: ops.PerAxis, end?: ops.PerAxis, step?: ops.PerAxis): Tensor<D>;
  index(...entries: readonly ops.IndexEntry[]): Tensor<D>;
  pad(
    before: readonly number[],
    after: readonly number[],
    surround?: number | boolean | ops.PadOptions,
  ): Tensor<D>;
  gather(index: ops.IndexTensor, axis?: number): Tensor<D>;
  takeAlong(index: ops.IndexTensor, axis: number): Tensor<D>;
  scatter(index: ops.IndexTensor, source: Tensor<D>, axis: number, options?: ops.ScatterOptions): Tensor<D>;
  oneHot(this: ops.IndexTensor, classes: number): Tensor;
  triu(diagonal?: number): Tensor<D>;
  tril(diagonal?: number): Tensor<D>;
  diagonal(offset?: number, axis1?: number, axis2?: number): Tensor<D>;
}
