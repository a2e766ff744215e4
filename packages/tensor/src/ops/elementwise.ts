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
import { type OpGradients, record, zeroGradient } from "../record.ts";
import type { AnyTensor, Tensor } from "../tensor.ts";
import { reshape } from "./reshape.ts";
import { broadcastTo, sumOfGradients } from "./sum.ts";

export { cast, type Kind } from "./cast.ts";

/** A tensor, or a number that stands for a constant. Numbers may change from run to run: the plan stays the same. */
export type Operand<D extends DType = Float> = Tensor<D> | number;

/** Operations on floats that are constant almost everywhere. */
const steps: ReadonlySet<ElementwiseName> = new Set<ElementwiseName>(["sign", "floor", "round"]);

function apply<D extends DType>(op: ElementwiseName, operands: readonly Operand<DType>[]): Tensor<D> {
  const row = elementwiseTable[op];
  const inputs: Record<string, AnyTensor> = {};
  const constants: number[] = [];
  let count = 0;
  const args = operands.map((operand): Ref => {
    if (typeof operand === "number") return `c${constants.push(operand) - 1}`;
    const name = `in${count++}` as const;
    inputs[name] = operand;
    return name;
  });
  if (operands.length !== row.arity)
    throw new ShapeError(`${op}: takes ${row.arity} operands but got ${operands.length}.`);
  if (!count) throw new ShapeError(`${op}: needs a tensor among its operands, but all are numbers.`);
  const gradients: Record<string, NonNullable<OpGradients<"x", "y">["x"]>> = {};
  args.forEach((name, k) => {
    if (!name.startsWith("in")) return;
    const derivative = row.gradient?.[k];
    const input = operands[k] as Tensor;
    if (steps.has(op)) gradients[name] = zeroGradient;
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
  (x: AnyTensor): Tensor<"bool"> =>
    apply(op, [x]);
const binary =
  (op: ElementwiseName) =>
  <D extends DType = Float>(a: Operand<D>, b: Operand<D>): Tensor<D> =>
    apply(op, [a, b]);
const comparison =
  (op: ElementwiseName) =>
  <D extends DType = Float>(a: Operand<D>, b: Operand<D>): Tensor<"bool"> =>
    apply(op, [a, b]);

/** −x. */
export const neg = unary("neg");
/** |x|. Its gradient at 0 is 0. */
export const abs = unary("abs");
/** −1, 0 or 1. Its gradient is zero. */
export const sign = unary("sign");
/** The next integer at or below x. Its gradient is zero. */
export const floor = unary("floor");
/** To the nearest integer, ties to even. */
export const round = unary("round");
/** eˣ. */
export const exp = unary("exp");
/** Natural logarithm. */
export const log = unary("log");
/** √x. */
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
/** Hyperbolic tangent. */
export const tanh = unary("tanh");
/** 1 / (1 + e⁻ˣ). */
export const sigmoid = unary("sigmoid");
/** x · sigmoid(x). */
export const silu = unary("silu");
/** max(x, 0). Its gradient at 0 is 0. */
export const relu = unary("relu");
/** The error function, 2/√π ∫₀ˣ exp(−t²) dt. */
export const erf = unary("erf");
/** x · Φ(x) with the exact normal distribution function, as PyTorch's default. */
export const gelu = unary("gelu");
/** a + b. Operands of this and all operations are broadcast together (NumPy's rules) and have one type. */
export const add = binary("add");
/** a − b. */
export const sub = binary("sub");
/** a · b. */
export const mul = binary("mul");
/** a / b. */
export const div = binary("div");
/** a to the power b. A negative base needs an integer exponent. */
export const pow = binary("pow");
/** The larger of a and b; where they are equal a takes the gradient. */
export const maximum = binary("maximum");
/** The smaller of a and b; where they are equal a takes the gradient. */
export const minimum = binary("minimum");
/** a = b, as bool. */
export const equal = comparison("equal");
/** a ≠ b, as bool. */
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
export const logicalAnd = binary("logicalAnd");
/** Whether one of them or both hold, bool operands. */
export const logicalOr = binary("logicalOr");
/** Whether it does not hold, a bool operand. */
export const logicalNot = test("logicalNot");

/** Whether x is neither infinite nor no number at all, as bool. */
export const finite = test("finite");

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
    (...operands: Operand[]) =>
      operands.every((operand) => typeof operand === "number")
        ? elementwiseTable[op].reference(...operands)
        : apply(op, operands),
  ]),
) as unknown as Algebra<Tensor>;
