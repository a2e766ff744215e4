/** Arithmetic: signs, rounding, sums, products, powers, extremes. */
import { binary, call, type ElementwiseRow, isFloatRegister, type RegisterTypes, unary } from "../row.ts";

/** `value`, or NaN where an operand is NaN. */
const propagating =
  (op: string) =>
  (a: string, b: string, { operand }: RegisterTypes): string =>
    isFloatRegister(operand) ? `nan_of(${a}, ${b}, ${op}(${a}, ${b}))` : `${op}(${a}, ${b})`;

/** To the nearest whole number, ties to even. */
function roundToEven(x: number): number {
  const nearest = Math.round(x);
  return Math.abs(x % 1) === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}

/** C's pow: JavaScript's has no value for 1 or −1 to the power of ±∞. */
function power(a: number, b: number): number {
  if (a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY)) return 1;
  return a ** b;
}

/** The remainder with the sign of b, as Python's and PyTorch's. */
function floorMod(a: number, b: number): number {
  const remainder = a % b;
  return remainder !== 0 && remainder < 0 !== b < 0 ? remainder + b : remainder;
}

export const arithmetic = {
  neg: unary(
    "signed",
    (x) => `-${x}`,
    (x) => -x,
    (e, g) => e.neg(g),
  ),
  abs: unary(
    "number",
    (x) => `abs(${x})`,
    Math.abs,
    (e, g, _y, x) => e.mul(g, e.sign(x)),
  ),
  sign: unary(
    "number",
    (x, { operand }) => {
      if (operand.includes("u32")) return `min(${x}, ${operand}(1u))`;
      return isFloatRegister(operand) ? `nan_or(${x}, sign(${x}))` : `sign(${x})`;
    },
    Math.sign,
    "zero",
  ),
  floor: unary("float", (x) => `floor(${x})`, Math.floor, "zero"),
  ceil: unary("float", (x) => `ceil(${x})`, Math.ceil, "zero"),
  round: unary("float", (x) => `round(${x})`, roundToEven, "zero"),
  trunc: unary("float", (x) => `trunc(${x})`, Math.trunc, "zero"),
  sqrt: unary(
    "float",
    (x) => `sqrt(${x})`,
    Math.sqrt,
    (e, g, y) => e.div(e.mul(g, 0.5), y),
  ),
  rsqrt: unary(
    "float",
    (x) => `inverseSqrt(${x})`,
    (x) => 1 / Math.sqrt(x),
    (e, g, y) => e.mul(e.mul(g, -0.5), e.mul(y, e.square(y))),
  ),
  square: {
    ...unary(
      "number",
      (x) => `${x} * ${x}`,
      (x) => x * x,
      (e, g, _y, x) => e.mul(e.mul(g, 2), x),
    ),
    integers: (x: number) => Math.imul(x, x),
  },
  reciprocal: unary(
    "float",
    (x) => `1.0 / ${x}`,
    (x) => 1 / x,
    (e, g, y) => e.neg(e.mul(g, e.square(y))),
  ),
  add: binary(
    "number",
    (a, b) => `${a} + ${b}`,
    (a, b) => a + b,
    [(_e, g) => g, (_e, g) => g],
  ),
  sub: binary(
    "number",
    (a, b) => `${a} - ${b}`,
    (a, b) => a - b,
    [(_e, g) => g, (e, g) => e.neg(g)],
  ),
  mul: binary(
    "number",
    (a, b) => `${a} * ${b}`,
    (a, b) => a * b,
    [(e, g, _y, _a, b) => e.mul(g, b), (e, g, _y, a) => e.mul(g, a)],
    Math.imul,
  ),
  div: binary(
    "number",
    (a, b) => `${a} / ${b}`,
    (a, b) => a / b,
    [(e, g, _y, _a, b) => e.div(g, b), (e, g, y, _a, b) => e.neg(e.div(e.mul(g, y), b))],
    // As WGSL has it: a division by 0 leaves the dividend.
    (a, b) => (b === 0 ? a : Math.trunc(a / b)),
  ),
  mod: binary(
    "number",
    (a, b, { operand }) => {
      if (isFloatRegister(operand)) return `floor_mod(${a}, ${b})`;
      if (operand.includes("u32")) return `${a} % ${b}`;
      const [rest, zero] = [`(${a} % ${b})`, `${operand}(0)`];
      return `select(${rest}, ${rest} + ${b}, (${rest} != ${zero}) & ((${rest} < ${zero}) != (${b} < ${zero})))`;
    },
    floorMod,
    [(_e, g) => g, (e, g, _y, a, b) => e.neg(e.mul(g, e.floor(e.div(a, b))))],
    (a, b) => (b === 0 ? 0 : floorMod(a, b)),
  ),
  fmod: binary(
    "number",
    (a, b, { operand }) => (isFloatRegister(operand) ? `trunc_mod(${a}, ${b})` : `${a} % ${b}`),
    (a, b) => a % b,
    [(_e, g) => g, (e, g, _y, a, b) => e.neg(e.mul(g, e.trunc(e.div(a, b))))],
    (a, b) => (b === 0 ? 0 : a % b),
  ),
  pow: binary("float", call("power"), power, [
    (e, g, _y, a, b) => e.mul(g, e.where(e.equal(b, 0), 0, e.mul(b, e.pow(a, e.sub(b, 1))))),
    // Where the base is 0 and the exponent is not negative the limit is 0, as in PyTorch.
    (e, g, y, a, b) =>
      e.mul(g, e.where(e.logicalAnd(e.equal(a, 0), e.greaterEqual(b, 0)), 0, e.mul(y, e.log(a)))),
  ]),
  maximum: binary("number", propagating("max"), Math.max, [
    (e, g, _y, a, b) => e.where(e.greaterEqual(a, b), g, 0),
    (e, g, _y, a, b) => e.where(e.less(a, b), g, 0),
  ]),
  minimum: binary("number", propagating("min"), Math.min, [
    (e, g, _y, a, b) => e.where(e.lessEqual(a, b), g, 0),
    (e, g, _y, a, b) => e.where(e.greater(a, b), g, 0),
  ]),
} satisfies Record<string, ElementwiseRow>;
