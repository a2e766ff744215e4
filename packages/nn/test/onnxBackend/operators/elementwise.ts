/** Operators that treat every element alike. */
import type { AnyTensor, Tensor } from "@ddad/nn";
import type { Call, Operator, Operators } from "../call.ts";
import { nn, together } from "../counted.ts";
import { elementType } from "../proto.ts";
import { dtypeOf } from "../values.ts";

const unary =
  (op: (x: Tensor) => AnyTensor): Operator =>
  (call) =>
    op(call.x());

type Bool = Tensor<"bool">;

const logical =
  (op: (a: Bool, b: Bool) => Bool): Operator =>
  (call) =>
    op(...(operands(call) as readonly AnyTensor[] as [Bool, Bool]));

/** Before operator set 7 the second operand is aligned by `axis`, not by its last extent. */
function operands(call: Call): [Tensor, Tensor] {
  const [a, b] = [call.x(0), call.x(1)];
  const axis = call.int("axis", call.rank - b.shape.length);
  const missing = a.shape.length - call.axis(axis) - b.shape.length;
  if (call.opset >= 7 || missing <= 0) return [a, b];
  return [a, nn.reshape(b, [...b.shape, ...Array<number>(missing).fill(1)])];
}

const binary =
  (op: (a: Tensor, b: Tensor) => AnyTensor): Operator =>
  (call) =>
    op(...operands(call));

/** Any number of operands, joined pair by pair. */
const joined =
  (op: (a: Tensor, b: Tensor) => AnyTensor): Operator =>
  (call) =>
    together(() => call.all().reduce((a, b) => op(a, b) as Tensor));

/** Before operator set 7 a weight of one a channel is given without the axes behind it. */
function legacyWeight(call: Call): Tensor {
  const weight = call.x(1);
  if (call.opset >= 7 || weight.size === 1) return weight;
  return nn.reshape(weight, [weight.size, ...Array<number>(call.rank - 2).fill(1)]);
}

export const elementwise: Operators = {
  Abs: unary((x) => nn.abs(x)),
  Acos: unary((x) => nn.acos(x)),
  Acosh: unary((x) => nn.acosh(x)),
  Asin: unary((x) => nn.asin(x)),
  Asinh: unary((x) => nn.asinh(x)),
  Atan: unary((x) => nn.atan(x)),
  Atanh: unary((x) => nn.atanh(x)),
  Ceil: unary((x) => nn.ceil(x)),
  Cosh: unary((x) => nn.cosh(x)),
  HardSwish: unary((x) => nn.hardSwish(x)),
  IsNaN: unary((x) => nn.isNaN(x)),
  Sinh: unary((x) => nn.sinh(x)),
  Softplus: unary((x) => nn.softplus(x)),
  Tan: unary((x) => nn.tan(x)),
  Cos: unary((x) => nn.cos(x)),
  Erf: unary((x) => nn.erf(x)),
  Exp: unary((x) => nn.exp(x)),
  Floor: unary((x) => nn.floor(x)),
  Log: unary((x) => nn.log(x)),
  Neg: unary((x) => nn.neg(x)),
  Reciprocal: unary((x) => nn.reciprocal(x)),
  Relu: unary((x) => nn.relu(x)),
  Round: unary((x) => nn.round(x)),
  Sigmoid: unary((x) => nn.sigmoid(x)),
  Sign: unary((x) => nn.sign(x)),
  Sin: unary((x) => nn.sin(x)),
  Sqrt: unary((x) => nn.sqrt(x)),
  Tanh: unary((x) => nn.tanh(x)),
  Not: (call) => nn.logicalNot(call.mask(0)),
  Identity: unary((x) => x),

  Add: binary((a, b) => nn.add(a, b)),
  Sub: binary((a, b) => nn.sub(a, b)),
  Mul: binary((a, b) => nn.mul(a, b)),
  Div: binary((a, b) => nn.div(a, b)),
  Equal: binary((a, b) => nn.equal(a, b)),
  Greater: binary((a, b) => nn.greater(a, b)),
  GreaterOrEqual: binary((a, b) => nn.greaterEqual(a, b)),
  Less: binary((a, b) => nn.less(a, b)),
  LessOrEqual: binary((a, b) => nn.lessEqual(a, b)),
  And: logical((a, b) => nn.logicalAnd(a, b)),
  Or: logical((a, b) => nn.logicalOr(a, b)),
  Xor: logical((a, b) => nn.logicalXor(a, b)),
  // The exponent may have another type than the base, which gives the result its own.
  Pow: binary((a, b) => nn.cast(nn.pow(nn.cast(a, "f32"), nn.cast(b, "f32")), a.dtype)),

  Max: joined((a, b) => nn.maximum(a, b)),
  Min: joined((a, b) => nn.minimum(a, b)),
  Sum: joined((a, b) => nn.add(a, b)),
  Mean: (call) => {
    const all = call.all();
    const total = together(() => all.reduce((a, b) => nn.add(a, b)));
    return all.length === 1 ? total : nn.div(total, all.length);
  },

  Celu: (call) => nn.celu(call.x(), call.float("alpha", 1)),
  Elu: (call) => nn.elu(call.x(), call.float("alpha", 1)),
  LeakyRelu: (call) => nn.leakyRelu(call.x(), call.float("alpha", 0.01)),

  HardSigmoid: (call) => {
    const [alpha, beta] = [call.float("alpha", 0.2), call.float("beta", 0.5)];
    // PyTorch's has no other slope.
    if (Math.abs(alpha - 1 / 6) < 1e-6 && beta === 0.5) return nn.hardSigmoid(call.x());
    return nn.clamp(nn.add(nn.mul(call.x(), alpha), beta), 0, 1);
  },

  Selu: (call) => {
    const [alpha, gamma] = [call.float("alpha", 1.67326319), call.float("gamma", 1.05070102)];
    if (Math.abs(alpha - 1.67326319) < 1e-5 && Math.abs(gamma - 1.05070102) < 1e-5) return nn.selu(call.x());
    return nn.mul(nn.elu(call.x(), alpha), gamma);
  },

  Clip: async (call) => {
    const min = (await call.number(1)) ?? call.node.attributes.get("min")?.float;
    const max = (await call.number(2)) ?? call.node.attributes.get("max")?.float;
    return min === undefined && max === undefined ? call.x() : nn.clamp(call.x(), min, max);
  },

  IsInf: (call) => {
    const [negative, positive] = [call.int("detect_negative", 1), call.int("detect_positive", 1)];
    if (negative && positive) return nn.isInf(call.x());
    return nn.equal(call.x(), negative ? -Infinity : Infinity);
  },

  Mod: (call) => (call.int("fmod", 0) ? nn.fmod : nn.mod)(call.x(0), call.x(1)),

  BitShift: (call) =>
    (call.text("direction", "LEFT") === "LEFT" ? nn.shiftLeft : nn.shiftRight)(call.bits(0), call.bits(1)),

  PRelu: (call) => nn.prelu(call.x(0), legacyWeight(call)),
  Shrink: (call) => {
    const [lambda, bias] = [call.float("lambd", 0.5), call.float("bias", 0)];
    if (bias === 0) return nn.hardshrink(call.x(), lambda);
    if (bias === lambda) return nn.softshrink(call.x(), lambda);
    return call.notExpressible("shrinking by another amount than the limit");
  },
  Softsign: unary((x) => nn.softsign(x)),
  ThresholdedRelu: (call) => nn.threshold(call.x(), call.float("alpha", 1), 0),

  Where: (call) => nn.where(call.mask(0), call.x(1), call.x(2)),
  Cast: (call) => nn.cast(call.x(), dtypeOf(elementType(call.int("to", 1)))),
  CastLike: (call) => nn.cast(call.x(), call.value(1).dtype),
};
