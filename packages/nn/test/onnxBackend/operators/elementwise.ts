/** Operators that treat every element alike. */
import type { AnyTensor, Tensor } from "@ddad/nn";
import type { Call, Operator, Operators } from "../call.ts";
import { nn } from "../counted.ts";
import { elementType } from "../proto.ts";
import { dtypeOf } from "../values.ts";

const unary =
  (op: (x: Tensor) => AnyTensor): Operator =>
  (call) =>
    op(call.x());

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
    call.all().reduce((a, b) => op(a, b) as Tensor);

const bool = (x: AnyTensor): Tensor<"bool"> => x as Tensor<"bool">;

export const elementwise: Operators = {
  Abs: unary((x) => nn.abs(x)),
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
  Not: unary((x) => nn.logicalNot(bool(x))),
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
  And: binary((a, b) => nn.logicalAnd(bool(a), bool(b))),
  Or: binary((a, b) => nn.logicalOr(bool(a), bool(b))),
  Xor: binary((a, b) => nn.notEqual(a, b)),
  // The exponent may have another type than the base, which gives the result its own.
  Pow: binary((a, b) => nn.cast(nn.pow(nn.cast(a, "f32"), nn.cast(b, "f32")), a.dtype)),

  Max: joined((a, b) => nn.maximum(a, b)),
  Min: joined((a, b) => nn.minimum(a, b)),
  Sum: joined((a, b) => nn.add(a, b)),
  Mean: (call) => {
    const all = call.all();
    const total = all.reduce((a, b) => nn.add(a, b));
    return all.length === 1 ? total : nn.div(total, all.length);
  },

  Where: (call) => nn.where(bool(call.x(0)), call.x(1), call.x(2)),
  Cast: (call) => nn.cast(call.x(), dtypeOf(elementType(call.int("to", 1)))),
  CastLike: (call) => nn.cast(call.x(), call.value(1).dtype),
};
