/** Elementwise operations: one row of the kernels' table becomes one operator, or a few. */
import { UsageError } from "@ddad/tensor";
import { elementType, type OnnxType } from "../model.ts";
import { onnxType, type Translation } from "../translation.ts";
import type { Translator } from "./translator.ts";

type Row = (t: Translation, operands: readonly string[]) => string;

const one =
  (op: string): Row =>
  (t, operands) =>
    t.emit(op, operands);
const negated =
  (op: string): Row =>
  (t, operands) =>
    t.emit("Not", [t.emit(op, operands)]);
const castTo =
  (type: OnnxType): Row =>
  (t, operands) =>
    t.emit("Cast", operands, { to: elementType(type) });

/** x · sigmoid(x). ONNX has no operator for it; runtimes fuse the two. */
export const silu = (t: Translation, x: string): string => t.emit("Mul", [x, t.emit("Sigmoid", [x])]);

/** x / 2 · (1 + erf(x / √2)). The operator Gelu is newer than the operator set. */
function gelu(t: Translation, x: string): string {
  const erf = t.emit("Erf", [t.emit("Mul", [x, t.scalar(Math.SQRT1_2, "f32")])]);
  const twice = t.emit("Mul", [x, t.emit("Add", [erf, t.scalar(1, "f32")])]);
  return t.emit("Mul", [twice, t.scalar(0.5, "f32")]);
}

/** The remainder with the sign of the divisor: Mod has that for integers alone. */
function mod(t: Translation, [a, b]: readonly string[]): string {
  const quotient = t.emit("Floor", [t.emit("Div", [a!, b!])]);
  return t.emit("Sub", [a!, t.emit("Mul", [quotient, b!])]);
}

/** By the names of the kernels' table. What is missing (atan2, shifts) has no operator, and none that it could be made of. */
export const rows: Readonly<Record<string, Row>> = {
  neg: one("Neg"),
  abs: one("Abs"),
  sign: one("Sign"),
  floor: one("Floor"),
  ceil: one("Ceil"),
  trunc: (t, [x]) => t.emit("Mul", [t.emit("Sign", [x!]), t.emit("Floor", [t.emit("Abs", [x!])])]),
  round: one("Round"),
  exp: one("Exp"),
  exp2: (t, [x]) => t.emit("Pow", [t.scalar(2, "f32"), x!]),
  expm1: (t, operands) => t.emit("Sub", [t.emit("Exp", operands), t.scalar(1, "f32")]),
  log: one("Log"),
  log2: (t, operands) => t.emit("Mul", [t.emit("Log", operands), t.scalar(Math.LOG2E, "f32")]),
  log1p: (t, [x]) => t.emit("Log", [t.emit("Add", [x!, t.scalar(1, "f32")])]),
  sqrt: one("Sqrt"),
  rsqrt: (t, operands) => t.emit("Reciprocal", [t.emit("Sqrt", operands)]),
  square: (t, [x]) => t.emit("Mul", [x!, x!]),
  reciprocal: one("Reciprocal"),
  sin: one("Sin"),
  cos: one("Cos"),
  tan: one("Tan"),
  asin: one("Asin"),
  acos: one("Acos"),
  atan: one("Atan"),
  sinh: one("Sinh"),
  cosh: one("Cosh"),
  asinh: one("Asinh"),
  acosh: one("Acosh"),
  atanh: one("Atanh"),
  softplus: one("Softplus"),
  tanh: one("Tanh"),
  sigmoid: one("Sigmoid"),
  silu: (t, [x]) => silu(t, x!),
  relu: one("Relu"),
  erf: one("Erf"),
  gelu: (t, [x]) => gelu(t, x!),
  add: one("Add"),
  sub: one("Sub"),
  mul: one("Mul"),
  div: one("Div"),
  mod,
  fmod: (t, operands) => t.emit("Mod", operands, { fmod: 1 }),
  pow: one("Pow"),
  bitwiseAnd: one("BitwiseAnd"),
  bitwiseOr: one("BitwiseOr"),
  bitwiseXor: one("BitwiseXor"),
  bitwiseNot: one("BitwiseNot"),
  maximum: one("Max"),
  minimum: one("Min"),
  equal: one("Equal"),
  notEqual: negated("Equal"),
  less: one("Less"),
  lessEqual: one("LessOrEqual"),
  greater: one("Greater"),
  greaterEqual: one("GreaterOrEqual"),
  logicalAnd: one("And"),
  logicalOr: one("Or"),
  logicalXor: one("Xor"),
  logicalNot: one("Not"),
  isNaN: one("IsNaN"),
  isInf: one("IsInf"),
  isFinite: (t, operands) =>
    t.emit("Not", [t.emit("Or", [t.emit("IsNaN", operands), t.emit("IsInf", operands)])]),
  where: one("Where"),
  toF32: castTo("f32"),
  toI32: castTo("i32"),
  toU32: castTo("u32"),
  toBool: castTo("bool"),
};

interface Attrs {
  readonly expression: {
    readonly constants: readonly number[];
    /** `args`: `in0` an input, `c0` a constant, `s0` the result of an earlier step. */
    readonly steps: readonly { readonly op: string; readonly args: readonly string[] }[];
  };
}

export const elementwise: Translator = (t, { attrs, inputs, outputs }) => {
  const { constants, steps } = (attrs as Attrs).expression;
  const y = outputs["y"]!;
  const rank = y.shape.length;
  const order = t.commonOrder(Object.values(inputs), rank);
  const results: string[] = [];
  for (const { op, args } of steps) {
    const row = rows[op];
    if (!row) throw new UsageError(`exportOnnx: there is no translation of ${op} to ONNX.`);
    // A number has the type of the tensors beside it; of those that `where` chooses from, not of its condition.
    const [beside = y] = args.slice(op === "where" ? 1 : 0).flatMap((arg) => inputs[arg] ?? []);
    const operands = args.map((arg) => {
      const index = Number(arg.replace(/\D+/, ""));
      if (arg.startsWith("s")) return results[index]!;
      return arg.startsWith("c")
        ? t.scalar(constants[index]!, onnxType(beside))
        : t.readBroadcast(inputs[arg]!, rank, order);
    });
    results.push(row(t, operands));
  }
  t.write(y, results.at(-1)!, order);
};
