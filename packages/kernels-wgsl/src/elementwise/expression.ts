/** A chain of elementwise operations as printable data: what a generated kernel computes for each element. */
import { check, ShapeError } from "../errors.ts";
import { dtypeProblem } from "../pack.ts";
import { type DType, isFloat } from "../spec.ts";
import { castTarget, type ElementwiseName } from "./row.ts";
import { elementwiseTable } from "./table.ts";

/** `in0` an input, `c0` a constant, `s0` an earlier step. Also the name of the variable in the shader. */
export type Ref = `in${number}` | `c${number}` | `s${number}`;

/** One operation of the table on what its arguments name. */
export interface Step {
  /** Its row in the table of operations. */
  readonly op: ElementwiseName;
  /** Operands, in the order of the operation. */
  readonly args: readonly Ref[];
}

/** The value of the last step is the result. Constants take the type of the operand beside them. */
export interface Expression {
  /** How many tensors it reads: `in0`, `in1`, … */
  readonly inputs: number;
  /** Values of `c0`, `c1`, … */
  readonly constants: readonly number[];
  /** In the order in which they run: `s0`, `s1`, … */
  readonly steps: readonly Step[];
}

/** Storage buffers in one pass are limited to 8 everywhere: seven inputs and the output. */
export const maxExpressionInputs = 7;
/** Constants of one expression: as many as fit, with a count, into 128 bytes of a uniform struct. */
export const maxExpressionConstants = 31;

/** The part of an expression that decides its code: the number of constants, not their values. */
export const structureOf = ({ inputs, constants, steps }: Expression) => ({
  inputs,
  constants: constants.length,
  steps,
});

const indexOf = (ref: Ref): number => Number(ref.replace(/\D+/, ""));

/** Types of what a step reads and of what it gives. */
export interface StepTypes {
  /** Of the operands, constants included; of `where`, of the two that it chooses from. */
  readonly operand: DType;
  /** Of the value that the step gives. */
  readonly result: DType;
}

/** Types of each step. Throws ShapeError where an operation cannot take its operands. */
export function typesOf(expression: Expression, inputs: readonly DType[]): StepTypes[] {
  const types: StepTypes[] = [];
  const typeOf = (ref: Ref): DType | undefined =>
    ref.startsWith("c")
      ? undefined
      : ref.startsWith("in")
        ? inputs[indexOf(ref)]
        : types[indexOf(ref)]!.result;
  for (const { op, args } of expression.steps) types.push(stepTypes(op, args.map(typeOf)));
  return types;
}

function stepTypes(op: ElementwiseName, operands: readonly (DType | undefined)[]): StepTypes {
  const { typing } = elementwiseTable[op];
  const values = typing === "select" ? operands.slice(1) : operands;
  const known = values.filter((type) => type !== undefined);
  const operand = commonType(op, known);
  const needs = (condition: boolean, what: string): void =>
    check(
      condition,
      op,
      () => `needs ${what} but got ${known.join(" and ")}; cast ${known.length > 1 ? "them" : "it"} first.`,
    );
  switch (typing) {
    case "cast":
      return { operand, result: castTarget[op]! };
    case "float":
      needs(isFloat(operand), "float operands");
      return { operand, result: operand };
    case "test":
      needs(isFloat(operand), "a float operand");
      return { operand, result: "bool" };
    case "logic":
      needs(operand === "bool", "bool operands");
      return { operand, result: "bool" };
    case "equality":
      return { operand, result: "bool" };
    case "compare":
      check(operand !== "bool", op, "compares numbers, not bool; use equal or notEqual.");
      return { operand, result: "bool" };
    case "select":
      check(
        operands[0] === "bool",
        op,
        () => `the condition must be bool but is ${operands[0] ?? "a number"}.`,
      );
      return { operand, result: operand };
    case "number":
      needs(operand !== "bool", "numbers");
      return { operand, result: operand };
    case "signed":
      needs(operand !== "bool" && operand !== "u32", "f32, f16 or i32");
      return { operand, result: operand };
    case "integer":
      needs(operand === "i32" || operand === "u32", "i32 or u32");
      return { operand, result: operand };
  }
}

/** Float16 beside float32 becomes float32; anything else must agree. */
function commonType(op: ElementwiseName, types: readonly DType[]): DType {
  const first = types[0] ?? "f32";
  if (types.every((type) => type === first)) return first;
  if (types.every(isFloat)) return "f32";
  throw new ShapeError(`${op}: operands are ${types.join(" and ")}; cast one of them first.`);
}

const word = new DataView(new ArrayBuffer(4));

/** A number as the 32 bits that a shader reads it from; floats are f32. */
export function bitsOf(value: number, dtype: DType): number {
  if (isFloat(dtype)) word.setFloat32(0, value);
  else word.setInt32(0, value);
  return word.getUint32(0);
}

/**
 * Bits of the constants, in the types of the operands beside them. Throws ShapeError where such a type cannot hold the number, or an
 * integer would be divided by 0.
 */
export function constantBits(expression: Expression, types: readonly StepTypes[]): number[] {
  const { constants, steps } = expression;
  if (constants.length === 0) return [];
  const bits = new Array<number>(constants.length).fill(0);
  steps.forEach(({ op, args }, index) => {
    const { operand } = types[index]!;
    args.forEach((ref, k) => {
      if (!ref.startsWith("c")) return;
      const value = constants[indexOf(ref)]!;
      const problem = dtypeProblem(value, operand);
      check(
        !problem,
        op,
        () => `the number ${problem}${isFloat(operand) ? "" : "; cast the tensor to f32 first"}.`,
      );
      const divides = k === 1 && (op === "div" || op === "mod" || op === "fmod");
      check(
        !divides || value !== 0 || isFloat(operand),
        op,
        () => `an ${operand} cannot be divided by the number 0.`,
      );
      bits[indexOf(ref)] = bitsOf(value, operand);
    });
  });
  return bits;
}

/** The f64 value of the expression for one element; integers are those that 32 bits hold. @param types of `typesOf` */
export function evaluateExpression(
  expression: Expression,
  types: readonly StepTypes[],
  element: readonly number[],
): number {
  const results: number[] = [];
  const resolve = (ref: Ref): number =>
    ref.startsWith("c")
      ? expression.constants[indexOf(ref)]!
      : ref.startsWith("in")
        ? element[indexOf(ref)]!
        : results[indexOf(ref)]!;
  expression.steps.forEach(({ op, args }, index) => {
    const { operand, result } = types[index]!;
    const { reference, integers } = elementwiseTable[op];
    const value = (isFloat(operand) ? reference : (integers ?? reference))(...args.map(resolve));
    results.push(result === "i32" ? value | 0 : result === "u32" ? value >>> 0 : value);
  });
  return results.at(-1)!;
}
