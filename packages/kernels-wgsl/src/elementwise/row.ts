/** What a row of the table of elementwise operations says, and the names of the rows. */

/** How the type of a result follows from its operands. */
export type Typing =
  | "float" // f32 or f16 → the same
  | "number" // any number type → the same
  | "test" // f32 or f16 → bool
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
  | "round"
  | "exp"
  | "log"
  | "sqrt"
  | "rsqrt"
  | "square"
  | "reciprocal"
  | "sin"
  | "cos"
  | "tanh"
  | "sigmoid"
  | "silu"
  | "relu"
  | "erf"
  | "gelu"
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "pow"
  | "maximum"
  | "minimum"
  | "equal"
  | "notEqual"
  | "less"
  | "lessEqual"
  | "greater"
  | "greaterEqual"
  | "logicalAnd"
  | "logicalOr"
  | "logicalNot"
  | "finite"
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

/** One operation: how it is written in WGSL, what it means, and its derivatives. */
export interface ElementwiseRow {
  readonly arity: 1 | 2 | 3;
  readonly typing: Typing;
  /** Expression in WGSL; `type` is the register type, such as `f32` or `vec4<f32>`. Operands are plain identifiers. */
  wgsl(operands: readonly string[], type: string): string;
  reference(...operands: number[]): number;
  /** One entry an operand; absent where the derivative is zero almost everywhere or the result is no float. */
  readonly gradient?: readonly (Derivative | undefined)[];
}
