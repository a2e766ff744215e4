/** The type of a row in the table of elementwise operations, and the names of the rows. */
import type { DType } from "../spec.ts";

/** How the type of a result follows from its operands. */
export type Typing =
  | "float" // f32 or f16 → the same
  | "number" // any number type → the same
  | "signed" // any number type but u32 → the same
  | "integer" // i32 or u32 → the same
  | "test" // f32 or f16 → bool
  | "equality" // two values of one type → bool
  | "compare" // two numbers of one type → bool
  | "logic" // bool → bool
  | "select" // bool, T, T → T
  | "cast"; // anything → named by the operation

/** Names of the operations, those of types included. */
export type ElementwiseName =
  | "neg"
  | "abs"
  | "sign"
  | "floor"
  | "ceil"
  | "round"
  | "trunc"
  | "exp"
  | "exp2"
  | "expm1"
  | "log"
  | "log2"
  | "log1p"
  | "sqrt"
  | "rsqrt"
  | "square"
  | "reciprocal"
  | "sin"
  | "cos"
  | "tan"
  | "asin"
  | "acos"
  | "atan"
  | "sinh"
  | "cosh"
  | "tanh"
  | "asinh"
  | "acosh"
  | "atanh"
  | "sigmoid"
  | "softplus"
  | "silu"
  | "relu"
  | "erf"
  | "gelu"
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "mod"
  | "fmod"
  | "pow"
  | "atan2"
  | "maximum"
  | "minimum"
  | "bitwiseAnd"
  | "bitwiseOr"
  | "bitwiseXor"
  | "bitwiseNot"
  | "shiftLeft"
  | "shiftRight"
  | "equal"
  | "notEqual"
  | "less"
  | "lessEqual"
  | "greater"
  | "greaterEqual"
  | "logicalAnd"
  | "logicalOr"
  | "logicalXor"
  | "logicalNot"
  | "isNaN"
  | "isFinite"
  | "isInf"
  | "where"
  | "toF32"
  | "toF16"
  | "toI32"
  | "toU32"
  | "toBool";

/** A value, or a constant. */
export type Operand<T> = T | number;

/** Operations of the table on values of some kind: tensors, or numbers in a test. */
export type Algebra<T> = { readonly [name in ElementwiseName]: (...operands: Operand<T>[]) => T };

/** Derivative of the result towards one operand times `g`, the gradient of the result `y`. */
export type Derivative = <T>(e: Algebra<T>, g: T, y: T, ...operands: Operand<T>[]) => T;

/** Types in registers of the shader, such as `f32` or `vec4<f32>`. */
export interface RegisterTypes {
  /** Of the operands; of `where`, of the two that it chooses from. */
  readonly operand: string;
  /** Of the value that the operation gives. */
  readonly result: string;
}

/** One operation: how it is written in WGSL, what it means, and its derivatives. */
export interface ElementwiseRow {
  /** Number of operands. */
  readonly arity: 1 | 2 | 3;
  /** Types that it takes, and the type of its result. */
  readonly typing: Typing;
  /** Expression in WGSL, which may call what `functions.ts` declares. Operands are plain identifiers. */
  wgsl(operands: readonly string[], types: RegisterTypes): string;
  /** In f64. What it gives for integers is cut to 32 bits afterwards, see `evaluateExpression`. */
  reference(...operands: number[]): number;
  /** The same for i32 and u32, where it is another. */
  readonly integers?: (...operands: number[]) => number;
  /**
   * One entry an operand: its derivative, or "zero" where that is zero wherever it exists. Absent where the result is no float, or where
   * the operand is bool.
   */
  readonly gradient?: readonly (Derivative | "zero" | undefined)[];
}

/** A row of the table with one operand. */
export const unary = (
  typing: Typing,
  wgsl: (x: string, types: RegisterTypes) => string,
  reference: (x: number) => number,
  gradient?: "zero" | (<T>(e: Algebra<T>, g: T, y: T, x: Operand<T>) => T),
): ElementwiseRow => ({
  arity: 1,
  typing,
  wgsl: ([x], types) => wgsl(x!, types),
  reference,
  ...(gradient ? { gradient: [gradient as Derivative | "zero"] } : {}),
});

type BinaryDerivative = <T>(e: Algebra<T>, g: T, y: T, a: Operand<T>, b: Operand<T>) => T;

/** A row of the table with two operands. */
export const binary = (
  typing: Typing,
  wgsl: (a: string, b: string, types: RegisterTypes) => string,
  reference: (a: number, b: number) => number,
  gradients?: readonly [BinaryDerivative, BinaryDerivative],
  integers?: (a: number, b: number) => number,
): ElementwiseRow => ({
  arity: 2,
  typing,
  wgsl: ([a, b], types) => wgsl(a!, b!, types),
  reference,
  ...(gradients ? { gradient: gradients as readonly Derivative[] } : {}),
  ...(integers ? { integers } : {}),
});

/** A call of a function of `functions.ts`; these take floats only. */
export const call =
  (name: string) =>
  (...operands: [...string[], RegisterTypes]): string =>
    `${name}(${operands.slice(0, -1).join(", ")})`;

/** Whether a register holds floats. */
export const isFloatRegister = (type: string): boolean => type.includes("f32");

/** JavaScript's 0 or 1 for a condition. */
export const bit = (condition: boolean): number => (condition ? 1 : 0);

/** The type that a cast gives. */
export const castTarget: Readonly<Partial<Record<ElementwiseName, DType>>> = {
  toF32: "f32",
  toF16: "f16",
  toI32: "i32",
  toU32: "u32",
  toBool: "bool",
};
