/** Comparisons, tests, logic, bits, choices. */
import {
  binary,
  bit,
  call,
  type ElementwiseRow,
  isFloatRegister,
  type RegisterTypes,
  unary,
} from "../row.ts";

/** A comparison that does not hold where an operand is NaN. */
const comparing =
  (op: string) =>
  (a: string, b: string, { operand }: RegisterTypes): string =>
    isFloatRegister(operand) ? `(${a} ${op} ${b}) & ordered(${a}, ${b})` : `${a} ${op} ${b}`;

/** Shift counts wrap as in WGSL: modulo 32. */
const shift =
  (op: string) =>
  (a: string, b: string, { operand }: RegisterTypes) =>
    `${a} ${op} (${operand.replace("i32", "u32")}(${b}) & ${operand.replace("i32", "u32")}(31u))`;

export const logic = {
  equal: binary("equality", comparing("=="), (a, b) => bit(a === b)),
  notEqual: binary(
    "equality",
    (a, b, { operand }) =>
      isFloatRegister(operand) ? `!((${a} == ${b}) & ordered(${a}, ${b}))` : `${a} != ${b}`,
    (a, b) => bit(a !== b),
  ),
  less: binary("compare", comparing("<"), (a, b) => bit(a < b)),
  lessEqual: binary("compare", comparing("<="), (a, b) => bit(a <= b)),
  greater: binary("compare", comparing(">"), (a, b) => bit(a > b)),
  greaterEqual: binary("compare", comparing(">="), (a, b) => bit(a >= b)),
  logicalAnd: binary(
    "logic",
    (a, b) => `${a} & ${b}`,
    (a, b) => bit(a !== 0 && b !== 0),
  ),
  logicalOr: binary(
    "logic",
    (a, b) => `${a} | ${b}`,
    (a, b) => bit(a !== 0 || b !== 0),
  ),
  logicalXor: binary(
    "logic",
    (a, b) => `${a} != ${b}`,
    (a, b) => bit((a !== 0) !== (b !== 0)),
  ),
  logicalNot: unary(
    "logic",
    (x) => `!${x}`,
    (x) => bit(x === 0),
  ),
  isNaN: unary("test", call("is_nan"), (x) => bit(Number.isNaN(x))),
  isFinite: unary("test", call("is_finite"), (x) => bit(Number.isFinite(x))),
  isInf: unary("test", call("is_inf"), (x) => bit(Math.abs(x) === Number.POSITIVE_INFINITY)),
  bitwiseAnd: binary(
    "integer",
    (a, b) => `${a} & ${b}`,
    (a, b) => a & b,
  ),
  bitwiseOr: binary(
    "integer",
    (a, b) => `${a} | ${b}`,
    (a, b) => a | b,
  ),
  bitwiseXor: binary(
    "integer",
    (a, b) => `${a} ^ ${b}`,
    (a, b) => a ^ b,
  ),
  bitwiseNot: unary(
    "integer",
    (x) => `~${x}`,
    (x) => ~x,
  ),
  shiftLeft: binary("integer", shift("<<"), (a, b) => a << b),
  // A negative i32 keeps its sign.
  shiftRight: binary("integer", shift(">>"), (a, b) => (a < 0 ? a >> b : a >>> b)),
  where: {
    arity: 3,
    typing: "select",
    wgsl: ([condition, a, b]) => `select(${b}, ${a}, ${condition})`,
    reference: (condition, a, b) => (condition ? a! : b!),
    gradient: [
      undefined,
      (e, g, _y, condition) => e.where(condition!, g, 0),
      (e, g, _y, condition) => e.where(condition!, 0, g),
    ],
  },
} satisfies Record<string, ElementwiseRow>;
