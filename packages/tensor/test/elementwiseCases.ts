/** Gradient cases of the elementwise operations: each where it is smooth, on both sides of its kinks. */
import * as t from "@ddad/tensor";
import type { GradientCase } from "./gradientCases.ts";

type Input = GradientCase["inputs"][number];

const between =
  (least: number, most: number) =>
  (...shape: number[]): Input => ({
    shape,
    fill: (_, uniform) => least + (most - least) * uniform(),
  });
const around = between(-1.3, 1.3);
const unit = between(-0.9, 0.9);
const aboveOne = between(1.2, 3);
const positive = between(0.3, 2);
/** Both signs, and away from 0 by 0.15 at least. */
const split = (...shape: number[]): Input => ({
  shape,
  fill: (index, uniform) => (index % 2 ? -1 : 1) * (0.15 + uniform()),
});

const unary = (
  name: string,
  input: (...shape: number[]) => Input,
  run: (x: t.Tensor) => t.Tensor,
): GradientCase => ({ name, inputs: [input(3, 4)], run: (x) => run(x!) });

const binary = (
  name: string,
  inputs: readonly [Input, Input],
  run: (a: t.Tensor, b: t.Tensor) => t.Tensor,
): GradientCase => ({ name, inputs, run: (a, b) => run(a!, b!) });

export const elementwiseCases: readonly GradientCase[] = [
  unary("exp2", around, t.exp2),
  unary("expm1", around, t.expm1),
  unary("log2", positive, t.log2),
  unary("log1p", unit, t.log1p),
  unary("tan", unit, t.tan),
  unary("asin", unit, t.asin),
  unary("acos", unit, t.acos),
  unary("atan", around, t.atan),
  unary("sinh", around, t.sinh),
  unary("cosh", around, t.cosh),
  unary("asinh", around, t.asinh),
  unary("acosh", aboveOne, t.acosh),
  unary("atanh", unit, t.atanh),
  unary("softplus", around, t.softplus),
  unary("leakyRelu", split, (x) => t.leakyRelu(x, 0.2)),
  unary("elu", split, (x) => t.elu(x, 0.7)),
  unary("celu", split, (x) => t.celu(x, 0.7)),
  unary("selu", split, t.selu),
  unary("hardSigmoid", between(-2.8, 2.8), t.hardSigmoid),
  unary("hardSwish", between(-2.8, 2.8), t.hardSwish),
  unary("hardTanh", between(-0.9, 0.9), (x) => t.hardTanh(x)),
  unary("relu6", split, t.relu6),
  unary("mish", around, t.mish),
  unary("logSigmoid", around, t.logSigmoid),
  unary("gelu by tanh", around, (x) => t.gelu(x, { approximate: "tanh" })),
  unary("clamp", between(0.2, 0.8), (x) => t.clamp(x, 0, 1)),
  unary("clamp beyond its bounds", split, (x) => t.clamp(x, -0.1, 0.1)),
  unary("pow of a number", around, (x) => t.pow(x, 3)),
  unary("pow to a number", around, (x) => t.pow(2, x)),
  unary("pow to the 0", around, (x) => t.pow(x, 0)),
  binary("atan2", [split(3, 4), split(4)], t.atan2),
  binary("mod", [between(1.1, 1.9)(3, 4), between(0.7, 1)(4)], t.mod),
  binary("fmod", [between(-1.9, -1.1)(3, 4), between(0.7, 1)(4)], t.fmod),
  binary("pow", [positive(3, 4), around(4)], t.pow),
];
