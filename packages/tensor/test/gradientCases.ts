/** One entry for each way in which an op can be called: what the gradient check loops over. */
import * as t from "@ddad/tensor";
import * as internal from "@ddad/tensor/internal";
import { activationCases } from "./activationCases.ts";
import { elementwiseCases } from "./elementwiseCases.ts";
import { imageCases } from "./imageCases.ts";
import { movementCases } from "./movementCases.ts";
import { reduceCases } from "./reduceCases.ts";

export interface GradientCase {
  readonly name: string;
  readonly inputs: readonly {
    readonly shape: readonly number[];
    readonly fill?: (index: number, uniform: () => number) => number;
  }[];
  readonly run: (...inputs: t.Tensor[]) => t.Tensor;
  /** Relative to the largest gradient; central differences of smooth functions are good to 1e-7, f32 to about 1e-5. */
  readonly tolerance?: number;
}

const x = (...shape: number[]) => ({ shape });
const positive = (...shape: number[]) => ({
  shape,
  fill: (_: number, uniform: () => number) => 0.3 + 2 * uniform(),
});
/** Away from zero, where |x|, relu and the like have a kink. */
const signed = (...shape: number[]) => ({
  shape,
  fill: (index: number, uniform: () => number) => (index % 2 ? -1 : 1) * (0.1 + uniform()),
});

/** A number between 0 and 1, away from both. */
const level = (...shape: number[]) => ({
  shape,
  fill: (_: number, uniform: () => number) => 0.2 + 0.6 * uniform(),
});
/** Rows of `coefficients` in the middle of a reconstruction: √ᾱ, √(1−ᾱ), √ᾱ_prev, λ, c1, c2. */
const coefficient = (index: number): number => [0.8, 0.6, 0.9, 0.5, 0.2, 0.3][index % 6]!;
/** Numbers of `adamControl` that make every term count. */
const adamNumber = (index: number): number => [0.1, 0.7, 0.8, 0.3, 0.2, 0.6, 0.5, 0.9][index]!;
/** Two outputs of an op as one tensor. */
const both = <N extends string>(outputs: Readonly<Record<N, t.Tensor>>, first: N, second: N): t.Tensor =>
  t.add(outputs[first], t.square(outputs[second]));

const unary: Record<string, (a: t.Tensor) => t.Tensor> = {
  neg: t.neg,
  abs: t.abs,
  exp: t.exp,
  square: t.square,
  sin: t.sin,
  cos: t.cos,
  tanh: t.tanh,
  sigmoid: t.sigmoid,
  silu: t.silu,
  relu: t.relu,
  erf: t.erf,
  gelu: t.gelu,
};
const unaryPositive: Record<string, (a: t.Tensor) => t.Tensor> = {
  log: t.log,
  sqrt: t.sqrt,
  rsqrt: t.rsqrt,
  reciprocal: t.reciprocal,
};
const binary: Record<string, (a: t.Tensor, b: t.Tensor) => t.Tensor> = {
  add: t.add,
  sub: t.sub,
  mul: t.mul,
  div: t.div,
  pow: t.pow,
  maximum: t.maximum,
  minimum: t.minimum,
};

const case1 = (
  name: string,
  input: GradientCase["inputs"][number],
  run: (a: t.Tensor) => t.Tensor,
): GradientCase => ({
  name,
  inputs: [input],
  run: (a) => run(a!),
});

export const gradientCases: readonly GradientCase[] = [
  ...movementCases,
  ...activationCases,
  ...elementwiseCases,
  ...Object.entries(unary).map(([name, run]) => case1(name, signed(3, 5), run)),
  ...Object.entries(unaryPositive).map(([name, run]) => case1(name, positive(3, 5), run)),
  ...Object.entries(binary).map(
    ([name, run]): GradientCase => ({
      name: `${name} with broadcasting`,
      inputs: [positive(2, 1, 4), positive(3, 1)],
      run: (a, b) => run(a!, b!),
    }),
  ),
  { name: "where", inputs: [signed(7), x(7)], run: (a, b) => t.where(t.greater(a!, 0), a!, b!) },
  case1("sum over axes", x(3, 4, 5), (a) => t.sum(a, [0, 2])),
  case1("mean with kept axes, then a product", x(3, 4), (a) => t.mul(a, t.mean(a, 1, { keepDims: true }))),
  case1("sum feeding a matmul", x(3, 4, 2), (a) => t.matmul(t.sum(a, 2), t.permute(t.sum(a, 2), [1, 0]))),
  { name: "matmul", inputs: [x(3, 4), x(4, 5)], run: (a, b) => t.matmul(a!, b!) },
  {
    name: "matmul, a transposed",
    inputs: [x(4, 3), x(4, 5)],
    run: (a, b) => t.matmul(a!, b!, { transposeA: true }),
  },
  {
    name: "matmul, b transposed",
    inputs: [x(3, 4), x(5, 4)],
    run: (a, b) => t.matmul(a!, b!, { transposeB: true }),
  },
  {
    name: "matmul, both transposed, batched",
    inputs: [x(2, 4, 3), x(2, 5, 4)],
    run: (a, b) => t.matmul(a!, b!, { transposeA: true, transposeB: true }),
  },
  { name: "matmul, one matrix for all", inputs: [x(2, 3, 4), x(4, 5)], run: (a, b) => t.matmul(a!, b!) },
  {
    name: "matmul, one matrix for all, transposed",
    inputs: [x(2, 4, 3), x(5, 4)],
    run: (a, b) => t.matmul(a!, b!, { transposeA: true, transposeB: true }),
  },
  { name: "linear", inputs: [x(2, 3, 4), x(4, 5), x(5)], run: (a, w, b) => t.linear(a!, w!, b!) },
  ...imageCases,
  {
    name: "groupNorm",
    inputs: [x(2, 3, 3, 8), positive(8), x(8)],
    run: (a, weight, bias) => t.groupNorm(a!, { groups: 4, weight: weight!, bias: bias! }),
  },
  {
    name: "groupNorm with SiLU",
    inputs: [x(2, 3, 3, 8), positive(8), x(8)],
    run: (a, weight, bias) =>
      t.groupNorm(a!, { groups: 2, weight: weight!, bias: bias!, activation: "silu" }),
  },
  {
    name: "layerNorm",
    inputs: [x(2, 3, 5), positive(5), x(5)],
    run: (a, weight, bias) => t.layerNorm(a!, { weight, bias }),
  },
  {
    name: "layerNorm over two axes",
    inputs: [x(2, 3, 4), positive(3, 4)],
    run: (a, weight) => t.layerNorm(a!, { weight, axes: [1, 2] }),
  },
  {
    name: "layerNorm over a middle axis",
    inputs: [x(2, 3, 4), positive(3), x(3)],
    run: (a, weight, bias) => t.layerNorm(a!, { weight, bias, axes: 1, epsilon: 0.1 }),
  },
  { name: "rmsNorm", inputs: [x(2, 3, 5), positive(5)], run: (a, weight) => t.rmsNorm(a!, { weight }) },
  {
    name: "instanceNorm",
    inputs: [x(2, 3, 2, 4), positive(4), x(4)],
    run: (a, weight, bias) => t.instanceNorm(a!, { weight, bias }),
  },
  {
    name: "batchNorm",
    inputs: [x(3, 2, 2, 5), positive(5), x(5)],
    run: (a, weight, bias) => t.batchNorm(a!, { weight: weight!, bias: bias! }).y,
  },
  {
    name: "batchNorm's statistics",
    inputs: [x(3, 2, 5)],
    run: (a) => both(t.batchNorm(a!, { weight: t.ones([5]), bias: t.zeros([5]) }), "mean", "variance"),
  },
  case1("max over axes", x(3, 4, 5), (a) => t.max(a, [0, 2])),
  case1("min of all", x(3, 4), (a) => t.min(a)),
  case1("softmax", x(3, 7), (a) => t.softmax(a)),
  { name: "cosineDistance", inputs: [x(3, 2, 6), x(3, 2, 6)], run: (a, b) => t.cosineDistance(a!, b!) },
  {
    name: "attention",
    inputs: [x(2, 5, 2, 8), x(2, 7, 2, 8), x(2, 7, 2, 8)],
    run: (q, k, v) => t.attention(q!, k!, v!),
  },
  case1("attentionPacked", x(2, 5, 2, 24), t.attentionPacked),
  case1("attentionPacked, causal", x(1, 6, 1, 12), (qkv) => t.attentionPacked(qkv, { causal: true })),
  case1("attentionPacked with a scale", x(1, 7, 3, 9), (qkv) => t.attentionPacked(qkv, { scale: 0.7 })),
  {
    name: "causal attention",
    inputs: [x(2, 5, 2, 4), x(2, 3, 2, 4), x(2, 3, 2, 4)],
    run: (q, k, v) => t.attention(q!, k!, v!, { causal: true }),
  },
  {
    name: "attention with a mask",
    inputs: [x(2, 3, 2, 4), x(2, 5, 2, 4), x(2, 5, 2, 4), x(3, 5)],
    run: (q, k, v, mask) => t.attention(q!, k!, v!, { mask: mask! }),
  },
  {
    name: "causal attention with shared heads and another width of value",
    inputs: [x(1, 5, 4, 3), x(1, 5, 2, 3), x(1, 5, 2, 2)],
    run: (q, k, v) => t.attention(q!, k!, v!, { causal: true, scale: 0.8 }),
  },
  {
    name: "addNoise",
    inputs: [x(2, 3, 2), x(2, 3, 2), level(2)],
    run: (a, noise, alphaBar) => t.addNoise(a!, noise!, alphaBar!),
  },
  {
    name: "guidedStep",
    inputs: [x(2, 3, 2), x(2, 3, 2), x(2, 3, 2), x(2, 3, 2), { shape: [2, 6], fill: coefficient }],
    run: (a, epsilon, target, noise, coefficients) =>
      both(
        t.guidedStep({ x: a!, epsilon: epsilon!, target: target!, noise, coefficients: coefficients! }),
        "xPrevious",
        "x0",
      ),
  },
  {
    name: "guidedStep without noise, one row for all",
    inputs: [x(3, 4), x(3, 4), x(3, 4), { shape: [1, 6], fill: coefficient }],
    run: (a, epsilon, target, coefficients) =>
      both(
        t.guidedStep({ x: a!, epsilon: epsilon!, target: target!, coefficients: coefficients! }),
        "xPrevious",
        "x0",
      ),
  },
  { name: "sumOfSquares", inputs: [x(3, 2), x(5)], run: (a, b) => internal.sumOfSquares(a!, b!) },
  {
    name: "accumulate",
    inputs: [x(3, 2), x(3, 2), x(1)],
    run: (a, b, keep) => internal.accumulate(a!, b!, keep!),
  },
  {
    name: "sgdStep",
    inputs: [x(5), x(5), x(5), positive(4)],
    run: (parameter, gradient, velocity, control) =>
      both(
        internal.sgdStep({
          parameter: parameter!,
          gradient: gradient!,
          velocity: velocity!,
          control: control!,
        }),
        "parameterNext",
        "velocityNext",
      ),
  },
  ...[false, true].map(
    (decoupled): GradientCase => ({
      name: decoupled ? "adamEmaStep, decoupled" : "adamStep",
      inputs: [x(5), x(5), x(5), positive(5), { shape: [8], fill: adamNumber }, x(5)],
      run: (parameter, gradient, firstMoment, secondMoment, control, ema) => {
        const inputs = {
          parameter: parameter!,
          gradient: gradient!,
          firstMoment: firstMoment!,
          secondMoment: secondMoment!,
          control: control!,
        };
        if (decoupled)
          return both(
            internal.adamEmaStep({ ...inputs, ema: ema! }, { decoupled }),
            "parameterNext",
            "emaNext",
          );
        return t.add(
          both(internal.adamStep(inputs, { decoupled }), "firstMomentNext", "secondMomentNext"),
          t.square(t.mul(internal.adamStep(inputs, { decoupled }).parameterNext, ema!)),
        );
      },
    }),
  ),
  {
    name: "a recomputed block",
    inputs: [x(2, 4), x(4, 4)],
    run: (a, w) => t.recompute((input: t.Tensor) => t.silu(t.matmul(t.tanh(input), w!)))(a!),
  },
  case1("copy", x(4), (a) => t.square(t.copy(a))),
  case1("a value used several times", x(4), (a) => t.add(t.mul(a, a), t.mul(t.exp(a), a))),
  ...reduceCases,
];
