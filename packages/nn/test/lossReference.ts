/** What the tests of losses share: comparisons with references in f64 and with central differences of these. */
import { evaluate, grad, type Tensor, tensor } from "@ddad/tensor";
import { expect } from "chai";
import type { Reduction } from "../src/losses/index.ts";
import { largestDifference } from "./golden.ts";

export const close = async (got: Tensor, expected: ArrayLike<number>, tolerance = 1e-5): Promise<void> => {
  expect(largestDifference(await got.data(), expected)).to.be.below(tolerance);
};

export const indices = (values: number[], shape?: number[]): Tensor<"i32"> =>
  tensor(values, shape ?? [values.length], { dtype: "i32" });

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
export const reduced = (values: number[], reduction: Reduction): number[] =>
  reduction === "none" ? values : [sum(values) / (reduction === "mean" ? values.length : 1)];

export const rows = (values: ArrayLike<number>, width: number): number[][] =>
  Array.from({ length: values.length / width }, (_, n) =>
    Array.from({ length: width }, (_, c) => values[n * width + c]!),
  );

export const logSoftmax = (row: readonly number[]): number[] => {
  const largest = Math.max(...row);
  const log = largest + Math.log(sum(row.map((x) => Math.exp(x - largest))));
  return row.map((x) => x - log);
};

/** Value and gradient towards `x` of a loss (summed where it is not reduced) against `reference` in f64. */
export async function check(
  x: Float32Array,
  shape: number[],
  loss: (x: Tensor) => Tensor,
  reference: (x: number[]) => number[],
): Promise<void> {
  const input = tensor(x, shape);
  const y = loss(input);
  const [gradient] = grad(y.size === 1 ? y : y.sum(), [input]);
  await evaluate(y, gradient!);
  await close(y, reference([...x]));
  const numeric = Array.from(x, (_, i) => {
    const at = (by: number) => sum(reference([...x].map((value, k) => (k === i ? value + by : value))));
    return (at(1e-5) - at(-1e-5)) / 2e-5;
  });
  await close(gradient!, numeric, 1e-4);
}

export const reductions = ["mean", "sum", "none"] as const;
