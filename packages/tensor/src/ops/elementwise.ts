/** The elementwise operations, made from the kernels' table: forward and derivative of a row stand there together. */
import {
  type Algebra,
  type DType,
  type ElementwiseName,
  elementwiseTable,
  type Float,
  elementwise as kernel,
  type Ref,
  type Shape,
  ShapeError,
  sameShape,
} from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import { checkOptions } from "../options.ts";
import { type OpGradients, record, zeroGradient } from "../record.ts";
import type { AnyTensor, Tensor } from "../tensor.ts";
import { reshape } from "./reshape.ts";
import { broadcastTo, sumOfGradients } from "./sum.ts";

export { cast, type Kind } from "./cast.ts";

/** A tensor, or a number that stands for a constant. Numbers may change from run to run: the plan stays the same. */
export type Operand<D extends DType = Float> = Tensor<D> | number;

function apply<D extends DType>(op: ElementwiseName, operands: readonly Operand<DType>[]): Tensor<D> {
  const row = elementwiseTable[op];
  if (operands.length !== row.arity)
    throw new ShapeError(`${op}: takes ${row.arity} operands but got ${operands.length}.`);
  const inputs: Record<string, AnyTensor> = {};
  const constants: number[] = [];
  let count = 0;
  const args = operands.map((operand): Ref => {
    if (typeof operand === "number") return `c${constants.push(operand) - 1}`;
    checkTensor(op, `operand ${count}`, operand);
    const name = `in${count++}` as const;
    inputs[name] = operand;
    return name;
  });
  if (!count) throw new ShapeError(`${op}: needs a tensor among its operands, but all are numbers.`);
  const gradients: Record<string, NonNullable<OpGradients<"x", "y">["x"]>> = {};
  args.forEach((name, k) => {
    if (!name.startsWith("in")) return;
    const derivative = row.gradient?.[k];
    const input = operands[k] as Tensor;
    if (derivative === "zero") gradients[name] = zeroGradient;
    else if (derivative)
      gradients[name] = ({ y: g }) =>
        sumTo(
          derivative(tensorAlgebra, g, y as AnyTensor as Tensor, ...(operands as Operand[])),
          input.shape,
          y.shape,
        );
  });
  const attrs = { expression: { inputs: count, constants, steps: [{ op, args }] } };
  const { y }: Record<"y", Tensor<D>> = record(kernel, inputs, attrs, gradients);
  return y;
}

/** The gradient of broadcasting: sums `g` over the axes along which an operand of `shape` was repeated. */
function sumTo(g: Tensor, shape: Shape, output: Shape): Tensor {
  if (sameShape(shape, output)) return g;
  const full = broadcastTo(g, output);
  const lead = output.length - shape.length;
  const axes = output
    .map((_, axis) => axis)
    .filter((axis) => axis < lead || (shape[axis - lead] === 1 && output[axis] !== 1));
  return reshape(axes.length ? sumOfGradients(full, axes) : full, shape);
}

const unary =
  (op: ElementwiseName) =>
  <D extends DType = Float>(x: Tensor<D>): Tensor<D> =>
    apply(op, [x]);
const test =
  (op: ElementwiseName) =>
  (x: Tensor): Tensor<"bool"> =>
    apply(op, [x]);
const logical =
  (op: ElementwiseName) =>
  (a: Tensor<"bool">, b: Tensor<"bool">): Tensor<"bool"> =>
    apply(op, [a, b]);
const binary =
  (op: ElementwiseName) =>
  <D extends DType = Float>(a: Operand<D>, b: Operand<D>): Tensor<D> =>
    apply(op, [a, b]);
const comparison =
  (op: ElementwiseName) =>
  <D extends DType = Float>(a: Operand<D>, b: Operand<D>): Tensor<"bool"> =>
    apply(op, [a, b]);

/** −x. Not for u32. */
export const neg = unary("neg");
/** |x|. Its gradient at 0 is 0. */
export const abs = unary("abs");
/** −1, 0 or 1. Its gradient is zero. */
export const sign = unary("sign");
/** The next whole number at or below x. Its gradient is zero. */
export const floor = unary("floor");
/** The next whole number at or above x. Its gradient is zero. */
export const ceil = unary("ceil");
/** To the nearest whole number, ties to even. Its gradient is zero. */
export const round = unary("round");
/** Without what comes after the point. Its gradient is zero. */
export const trunc = unary("trunc");
/** eˣ. */
export const exp = unary("exp");
/** 2ˣ. */
export const exp2 = unary("exp2");
/** eˣ − 1, precise also near 0. */
export const expm1 = unary("expm1");
/** Natural logarithm; −∞ of 0, NaN of what is below. */
export const log = unary("log");
/** Logarithm to base 2. */
export const log2 = unary("log2");
/** log(1 + x), precise also near 0. */
export const log1p = unary("log1p");
/** √x; NaN below 0. */
export const sqrt = unary("sqrt");
/** 1/√x. */
export const rsqrt = unary("rsqrt");
/** x². */
export const square = unary("square");
/** 1/x. */
export const reciprocal = unary("reciprocal");
/** Sine of x in radians. */
export const sin = unary("sin");
/** Cosine of x in radians. */
export const cos = unary("cos");
/** Tangent of x in radians. */
export const tan = unary("tan");
/** Inverse sine, in radians; NaN outside of −1 … 1. */
export const asin = unary("asin");
/** Inverse cosine, in radians; NaN outside of −1 … 1. */
export const acos = unary("acos");
/** Inverse tangent, in radians. */
export const atan = unary("atan");
/** Angle of the point (b, a) in −π … π: atan(a / b) in the right quadrant. */
export const atan2 = binary("atan2");
/** Hyperbolic sine. */
export const sinh = unary("sinh");
/** Hyperbolic cosine. */
export const cosh = unary("cosh");
/** Hyperbolic tangent. */
export const tanh = unary("tanh");
/** Inverse hyperbolic sine. */
export const asinh = unary("asinh");
/** Inverse hyperbolic cosine; NaN below 1. */
export const acosh = unary("acosh");
/** Inverse hyperbolic tangent; NaN outside of −1 … 1. */
export const atanh = unary("atanh");
/** 1 / (1 + e⁻ˣ). */
export const sigmoid = unary("sigmoid");
/** log(1 + eˣ). */
export const softplus = unary("softplus");
/** x · sigmoid(x). */
export const silu = unary("silu");
/** max(x, 0). Its gradient at 0 is 0. */
export const relu = unary("relu");
/** The error function, 2/√π ∫₀ˣ exp(−t²) dt. */
export const erf = unary("erf");
/** a + b. Operands of this and all operations are broadcast together (NumPy's rules) and have one type. */
export const add = binary("add");
/** a − b. */
export const sub = binary("sub");
/** a · b. */
export const mul = binary("mul");
/** a / b. Integers are cut towards zero; an integer divided by an element that is 0 stays as it is. */
export const div = binary("div");
/** The remainder of a / b with the sign of b (PyTorch's `remainder`, Python's %). An integer modulo 0 is 0. */
export const mod = binary("mod");
/** The remainder of a / b with the sign of a (PyTorch's `fmod`, JavaScript's %). An integer modulo 0 is 0. */
export const fmod = binary("fmod");
/** a to the power b. NaN where the base is negative and the exponent no whole number. */
export const pow = binary("pow");
/** The larger of a and b, NaN where one is; where they are equal a takes the gradient. */
export const maximum = binary("maximum");
/** The smaller of a and b, NaN where one is; where they are equal a takes the gradient. */
export const minimum = binary("minimum");
/** The bits that both have: i32 or u32. */
export const bitwiseAnd = binary("bitwiseAnd");
/** The bits that one of them or both have: i32 or u32. */
export const bitwiseOr = binary("bitwiseOr");
/** The bits that one of them has and the other has not: i32 or u32. */
export const bitwiseXor = binary("bitwiseXor");
/** The bits that it has not: i32 or u32. */
export const bitwiseNot = unary("bitwiseNot");
/** a · 2ᵇ without what leaves 32 bits: i32 or u32, b modulo 32. */
export const shiftLeft = binary("shiftLeft");
/** ⌊a / 2ᵇ⌋: i32 or u32, b modulo 32. */
export const shiftRight = binary("shiftRight");
/** a = b, as bool. NaN equals nothing. */
export const equal = comparison("equal");
/** a ≠ b, as bool. NaN differs from everything, itself too. */
export const notEqual = comparison("notEqual");
/** a < b, as bool. */
export const less = comparison("less");
/** a ≤ b, as bool. */
export const lessEqual = comparison("lessEqual");
/** a > b, as bool. */
export const greater = comparison("greater");
/** a ≥ b, as bool. */
export const greaterEqual = comparison("greaterEqual");
/** Whether both hold, bool operands. */
export const logicalAnd = logical("logicalAnd");
/** Whether one of them or both hold, bool operands. */
export const logicalOr = logical("logicalOr");
/** Whether just one of them holds, bool operands. */
export const logicalXor = logical("logicalXor");
/** Whether it does not hold, a bool operand. */
export const logicalNot = (x: Tensor<"bool">): Tensor<"bool"> => apply("logicalNot", [x]);
/** Whether x is NaN, as bool. */
export const isNaN = test("isNaN");
/** Whether x is neither infinite nor NaN, as bool. */
export const isFinite = test("isFinite");
/** Whether x is ∞ or −∞, as bool. */
export const isInf = test("isInf");

/** How `gelu` is computed. */
export interface GeluOptions {
  /** "tanh": the approximation x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))). Default "none". */
  readonly approximate?: "none" | "tanh";
}

/** x · Φ(x) with the normal distribution function Φ (Hendrycks and Gimpel 2016), exact as PyTorch's default. */
export function gelu<D extends DType = Float>(x: Tensor<D>, options: GeluOptions = {}): Tensor<D> {
  const { approximate = "none" } = checkOptions("gelu", options, ["approximate"]);
  if (approximate === "none") return apply("gelu", [x]);
  const inner = mul(Math.sqrt(2 / Math.PI), add(x, mul(0.044715, mul(x, square(x)))));
  return mul(mul(0.5, x), add(1, tanh(inner)));
}

/** `a` where the condition (bool) holds, else `b`. */
export const where = <D extends DType = Float>(
  condition: Tensor<"bool">,
  a: Operand<D>,
  b: Operand<D>,
): Tensor<D> => apply("where", [condition, a, b]);

/** The table's operations on tensors: what derivatives are recorded with. Numbers among themselves are computed at once. */
const tensorAlgebra = Object.fromEntries(
  (Object.keys(elementwiseTable) as ElementwiseName[]).map((op) => [
    op,
    (...operands: Operand[]) => {
      if (operands.every((operand) => typeof operand === "number"))
        return elementwiseTable[op].reference(...operands);
      if (op === "where" && typeof operands[0] === "number") return operands[0] ? operands[1] : operands[2];
      return apply(op, operands);
    },
  ]),
) as unknown as Algebra<Tensor>;
