import { type DType, type Float, prod as kernel } from "@ddad/kernels-wgsl";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { AnyTensor, Tensor } from "../tensor.ts";
import { dropAxes, normaliseAxes } from "./axes.ts";
import { cumprod } from "./cumprod.ts";
import { cast, type Kind, mul } from "./elementwise.ts";
import { permute } from "./permute.ts";
import { reshape } from "./reshape.ts";
import { type ReduceOptions, type Summed, type SumOptions, sumAttrs, toSummable } from "./sum.ts";

/**
 * Product over `axes` (negative ones count from the end; default all; `[]` multiplies nothing). The product of no elements is 1. Its
 * gradient is right where elements are zero, too.
 *
 * @throws ShapeError where x has no such axis, or `dtype` is bool
 */
export function prod<T extends DType>(
  x: AnyTensor,
  axes: number | readonly number[] | undefined,
  options: SumOptions & { readonly dtype: T },
): Tensor<Kind<T>>;
export function prod<D extends DType = Float>(
  x: Tensor<D>,
  axes?: number | readonly number[],
  options?: ReduceOptions,
): Tensor<Summed<D>>;
export function prod(x: AnyTensor, axes?: number | readonly number[], options: SumOptions = {}): AnyTensor {
  const { keepDims = false, dtype } = checkOptions("prod", options, ["keepDims", "dtype"]);
  const reduced = normaliseAxes("prod", x, axes);
  const factors = toSummable("prod", x, dtype);
  const { y }: Record<"y", AnyTensor> = record(kernel, { x: factors }, sumAttrs(factors, reduced, dtype), {
    x: ({ y: g }) => mul(g, productOfOthers(cast(factors, g.dtype as Float), reduced)),
  });
  return keepDims ? y : reshape(y, dropAxes(x.shape, reduced));
}

/** For each element the product of the others over `axes`: of those in front of it and those behind it. */
function productOfOthers(x: Tensor, axes: readonly number[]): Tensor {
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...kept, ...axes];
  const moved = permute(x, order);
  const count = axes.reduce((product, axis) => product * x.shape[axis]!, 1);
  const lines = reshape(moved, [...kept.map((axis) => x.shape[axis]!), count]);
  const others = mul(
    cumprod(lines, -1, { exclusive: true }),
    cumprod(lines, -1, { exclusive: true, reverse: true }),
  );
  const inverse = order.map((_, axis) => order.indexOf(axis));
  return permute(reshape(others, moved.shape), inverse);
}
