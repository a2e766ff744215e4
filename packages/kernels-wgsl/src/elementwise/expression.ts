/** A chain of elementwise operations as printable data: what a generated kernel computes for each element. */
import { check, ShapeError } from "../errors.ts";
import { type DType, isFloat } from "../spec.ts";
import type { ElementwiseName } from "./row.ts";
import { elementwiseTable } from "./table.ts";

/** `in0` an input, `c0` a constant, `s0` an earlier step. Also the name of the variable in the shader. */
export type Ref = `in${number}` | `c${number}` | `s${number}`;

/** One operation of the table on what its arguments name. */
export interface Step {
  readonly op: ElementwiseName;
  readonly args: readonly Ref[];
}

/** The value of the last step is the result. Constants take the type of the operand beside them. */
export interface Expression {
  readonly inputs: number;
  readonly constants: readonly number[];
  readonly steps: readonly Step[];
}

/** Storage buffers in one pass are limited to 8 everywhere: seven inputs and the output. */
export const maxExpressionInputs = 7;
/** Constants of one expression: places in the uniform struct. */
export const maxExpressionConstants = 12;

/** `s0 = mul(in0, c0); …`, for people and for keys of caches (constants left out: they are data). */
export const showExpression = ({ steps }: Expression): string =>
  steps.map(({ op, args }, index) => `s${index} = ${op}(${args.join(", ")})`).join("; ");

const indexOf = (ref: Ref): number => Number(ref.replace(/\D+/, ""));

const castTarget: Partial<Record<ElementwiseName, DType>> = {
  toF32: "f32",
  toF16: "f16",
  toI32: "i32",
  toU32: "u32",
  toBool: "bool",
};

/** Type of each step. Throws ShapeError where an operation cannot take its operands. */
export function typesOf(expression: Expression, inputs: readonly DType[]): DType[] {
  const types: DType[] = [];
  const typeOf = (ref: Ref): DType | undefined =>
    ref.startsWith("c") ? undefined : ref.startsWith("in") ? inputs[indexOf(ref)] : types[indexOf(ref)];
  for (const { op, args } of expression.steps) {
    const operands = args.map(typeOf);
    const known = operands.filter((type) => type !== undefined);
    types.push(resultType(op, operands, known));
  }
  return types;
}

function resultType(
  op: ElementwiseName,
  operands: readonly (DType | undefined)[],
  known: readonly DType[],
): DType {
  const { typing } = elementwiseTable[op];
  const values = typing === "select" ? operands.slice(1).filter((type) => type !== undefined) : known;
  const common = commonType(op, values);
  switch (typing) {
    case "cast":
      return castTarget[op]!;
    case "float":
      check(isFloat(common), op, `needs float operands but got ${known.join(" and ")}; cast them first.`);
      return common;
    case "test":
      check(isFloat(common), op, `needs a float operand but got ${common}.`);
      return "bool";
    case "logic":
      check(common === "bool", op, `needs bool operands but got ${known.join(" and ")}.`);
      return "bool";
    case "compare":
      check(common !== "bool", op, "compares numbers, not bool.");
      return "bool";
    case "select":
      check(operands[0] === "bool", op, `the condition must be bool but is ${operands[0] ?? "a number"}.`);
      return common;
    case "number":
      check(common !== "bool", op, "needs numbers but got bool; cast it first.");
      return common;
  }
}

/** Float16 beside float32 becomes float32; anything else must agree. */
function commonType(op: ElementwiseName, types: readonly DType[]): DType {
  const first = types[0] ?? "f32";
  if (types.every((type) => type === first)) return first;
  if (types.every(isFloat)) return "f32";
  throw new ShapeError(`${op}: operands are ${types.join(" and ")}; cast one of them first.`);
}

/** The f64 value of the expression for one element. */
export function evaluateExpression(expression: Expression, element: readonly number[]): number {
  const steps: number[] = [];
  const resolve = (ref: Ref): number =>
    ref.startsWith("c")
      ? expression.constants[indexOf(ref)]!
      : ref.startsWith("in")
        ? element[indexOf(ref)]!
        : steps[indexOf(ref)]!;
  for (const { op, args } of expression.steps)
    steps.push(elementwiseTable[op].reference(...args.map(resolve)));
  return steps.at(-1)!;
}
