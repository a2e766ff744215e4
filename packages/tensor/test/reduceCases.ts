/** Reductions, softmax, scans and sorting. */
import * as t from "@ddad/tensor";
import type { GradientCase } from "./gradientCases.ts";

const x = (...shape: number[]) => ({ shape });
const positive = (...shape: number[]) => ({
  shape,
  fill: (_: number, uniform: () => number) => 0.3 + 2 * uniform(),
});
/** Away from zero, where |x| has a kink. */
const signed = (...shape: number[]) => ({
  shape,
  fill: (index: number, uniform: () => number) => (index % 2 ? -1 : 1) * (0.1 + uniform()),
});
/** Zero where `zero` says so. */
const withZeros = (zero: (index: number) => boolean, ...shape: number[]) => ({
  shape,
  fill: (index: number, uniform: () => number) => (zero(index) ? 0 : uniform() - 0.5),
});

/** All different by far more than the step of a difference. */
const apart = (...shape: number[]) => ({
  shape,
  fill: (index: number) => ((index * 37) % 101) / 50 - 1,
});

const case1 = (
  name: string,
  input: GradientCase["inputs"][number],
  run: (a: t.Tensor) => t.Tensor,
): GradientCase => ({ name, inputs: [input], run: (a) => run(a!) });

export const reduceCases: readonly GradientCase[] = [
  case1("softmax along the first axis", x(7, 3), (a) => t.softmax(a, 0)),
  case1("logSoftmax", x(3, 7), (a) => t.logSoftmax(a)),
  case1("logSoftmax along the middle axis", x(2, 5, 3), (a) => t.logSoftmax(a, 1)),
  case1("logSumExp", x(3, 4, 5), (a) => t.logSumExp(a, [0, 2])),
  case1("logSumExp of all, dimensions kept", x(3, 4), (a) => t.logSumExp(a, undefined, { keepDims: true })),
  case1("prod", positive(3, 4, 5), (a) => t.prod(a, [0, 2])),
  case1(
    "prod with one zero",
    withZeros((i) => i === 3, 2, 5),
    (a) => t.prod(a, 1, { keepDims: true }),
  ),
  case1(
    "prod with two zeros",
    withZeros((i) => i === 3 || i === 4, 2, 5),
    (a) => t.prod(a, 1),
  ),
  case1("cumsum", x(3, 7), (a) => t.cumsum(a)),
  case1("cumsum, reversed", x(2, 3, 5), (a) => t.cumsum(a, -1, { reverse: true })),
  case1("cumsum along the first axis, exclusive", x(5, 3), (a) => t.cumsum(a, 0, { exclusive: true })),
  case1("cumprod", positive(3, 7), (a) => t.cumprod(a)),
  case1(
    "cumprod with zeros",
    withZeros((i) => i === 1 || i === 4 || i === 9, 2, 7),
    (a) => t.cumprod(a),
  ),
  case1("cumprod, reversed", positive(2, 5, 3), (a) => t.cumprod(a, 1, { reverse: true })),
  case1("cumprod, exclusive", positive(2, 5), (a) => t.cumprod(a, 1, { exclusive: true })),
  case1("cumprod, reversed and exclusive", positive(2, 5), (a) =>
    t.cumprod(a, 1, { exclusive: true, reverse: true }),
  ),
  case1("variance", x(3, 4, 5), (a) => t.variance(a, [0, 2])),
  case1("variance of a population", x(3, 4), (a) => t.variance(a, 1, { correction: 0, keepDims: true })),
  case1("std", x(3, 4, 5), (a) => t.std(a, 1)),
  case1("norm", x(3, 4), (a) => t.norm(a, 1)),
  case1("norm, p = 1", signed(3, 4), (a) => t.norm(a, 1, { p: 1 })),
  case1("norm, p = 3", signed(3, 4), (a) => t.norm(a, 1, { p: 3 })),
  case1("norm, p = −1", signed(3, 4), (a) => t.norm(a, 1, { p: -1, keepDims: true })),
  case1("norm, p = ∞", signed(3, 4), (a) => t.norm(a, 1, { p: Infinity })),
  case1("norm, p = −∞", signed(3, 4), (a) => t.norm(a, 0, { p: -Infinity })),
  case1("sort", apart(3, 7), (a) => t.sort(a).values),
  case1("sort along the first axis, descending", apart(40, 2), (a) =>
    t.square(t.sort(a, { axis: 0, descending: true }).values),
  ),
  case1("topK", apart(3, 7), (a) => t.exp(t.topK(a, 3).values)),
  case1("topK of the smallest, middle axis", apart(2, 5, 3), (a) =>
    t.square(t.topK(a, 2, { axis: 1, largest: false }).values),
  ),
];
