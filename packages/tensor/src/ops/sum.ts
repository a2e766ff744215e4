/** Sum and broadcasting: each is the other's gradient, so they stand together. */
import {
  broadcast as broadcastKernel,
  type DType,
  type Float,
  type ReduceAttrs,
  type Shape,
  ShapeError,
  sameShape,
  sum as sumKernel,
} from "@ddad/kernels-wgsl";
import { checkList } from "../arguments.ts";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { AnyTensor, Tensor } from "../tensor.ts";
import { dropAxes, normaliseAxes } from "./axes.ts";
import { cast, type Kind } from "./cast.ts";
import { reshape } from "./reshape.ts";

/** Options of reductions. */
export interface ReduceOptions {
  /** Keep reduced axes with extent 1. Default false. */
  readonly keepDims?: boolean;
}

/** Options of `sum` and `prod`. */
export interface SumOptions extends ReduceOptions {
  /** Type of the result, and of what is added up. Default that of x, i32 for bool. Sums of f16 are f32 inside either way. */
  readonly dtype?: DType;
}

/** Type of a sum or product as the compiler knows it: of bool i32, else that of x. */
export type Summed<D extends DType> = D extends "bool" ? "i32" : D;

/** x as a sum or product of type `dtype` takes it: f16 stays f16 where the result is f32, because a shader widens it itself. */
export function toSummable(op: string, x: AnyTensor, dtype: DType | undefined): AnyTensor {
  if (dtype === "bool")
    throw new ShapeError(
      `${op}: dtype must be a number type but is bool. Use any or all for the logical one.`,
    );
  const widened = (x.dtype === "f16" && dtype === "f32") || (x.dtype === "bool" && dtype === "i32");
  return dtype === undefined || widened ? x : cast(x, dtype);
}

/** Attributes of the kernel for these terms: a type only where it has a choice. */
export const sumAttrs = (terms: AnyTensor, axes: readonly number[], dtype: DType | undefined): ReduceAttrs =>
  terms.dtype === "f16" && dtype === "f32" ? { axes, dtype } : { axes };

/**
 * Sum over `axes` (negative ones count from the end; default all; `[]` sums over nothing). The sum of no elements is 0.
 *
 * @throws ShapeError where x has no such axis, or `dtype` is bool
 */
export function sum<T extends DType>(
  x: AnyTensor,
  axes: number | readonly number[] | undefined,
  options: SumOptions & { readonly dtype: T },
): Tensor<Kind<T>>;
export function sum<D extends DType = Float>(
  x: Tensor<D>,
  axes?: number | readonly number[],
  options?: ReduceOptions,
): Tensor<Summed<D>>;
export function sum(x: AnyTensor, axes?: number | readonly number[], options: SumOptions = {}): AnyTensor {
  const { keepDims = false, dtype } = checkOptions("sum", options, ["keepDims", "dtype"]);
  const reduced = normaliseAxes("sum", x, axes);
  const terms = toSummable("sum", x, dtype);
  // The gradient stays small: whoever reads it broadcasts it.
  const { y }: Record<"y", AnyTensor> = record(sumKernel, { x: terms }, sumAttrs(terms, reduced, dtype), {
    x: ({ y: g }) => g,
  });
  return keepDims ? y : reshape(y, dropAxes(x.shape, reduced));
}

/** The sum of gradients over `axes`, which stay with extent 1: f32 also where they are f16, as many small terms come together. */
export const sumOfGradients = (gradient: Tensor, axes: readonly number[]): Tensor =>
  sum(gradient, axes, { keepDims: true, dtype: "f32" });

/** Repeats axes of extent 1 (and new leading axes) until the shape is `shape`, as NumPy does. */
export function broadcastTo<D extends DType = Float>(x: Tensor<D>, shape: Shape): Tensor<D> {
  checkList("broadcastTo", "the shape", shape);
  if (sameShape(x.shape, shape)) return x;
  const lead = shape.length - x.shape.length;
  const repeated = shape
    .map((_, axis) => axis)
    .filter((axis) => axis < lead || x.shape[axis - lead] !== shape[axis]);
  const {
    y,
  }: Record<"y", Tensor<D>> = record(
    broadcastKernel,
    { x },
    { shape },
    { x: ({ y: g }) => reshape(sumOfGradients(g, repeated), x.shape) },
  );
  return y;
}
