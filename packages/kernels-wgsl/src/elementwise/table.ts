/**
 * The elementwise operations: one row each with its WGSL, its meaning and its derivative.
 *
 * A derivative is written in terms of the same table through an `Algebra`, so that the tensor library records it as
 * ordinary operations (and fuses them), and a test can evaluate it on plain numbers.
 */

import type { Algebra, Derivative, ElementwiseName, ElementwiseRow, Operand, Typing } from "./row.ts";

const unary = (
  typing: Typing,
  wgsl: (x: string, type: string) => string,
  reference: (x: number) => number,
  gradient?: <T>(e: Algebra<T>, g: T, y: T, x: Operand<T>) => T,
): ElementwiseRow => ({
  arity: 1,
  typing,
  wgsl: ([x], type) => wgsl(x!, type),
  reference,
  ...(gradient ? { gradient: [gradient as Derivative] } : {}),
});

const binary = (
  typing: Typing,
  wgsl: (a: string, b: string, type: string) => string,
  reference: (a: number, b: number) => number,
  gradientA?: <T>(e: Algebra<T>, g: T, y: T, a: Operand<T>, b: Operand<T>) => T,
  gradientB?: <T>(e: Algebra<T>, g: T, y: T, a: Operand<T>, b: Operand<T>) => T,
): ElementwiseRow => ({
  arity: 2,
  typing,
  wgsl: ([a, b], type) => wgsl(a!, b!, type),
  reference,
  ...(gradientA ? { gradient: [gradientA as Derivative, gradientB as Derivative] } : {}),
});

const bit = (condition: boolean): number => (condition ? 1 : 0);
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** exp of a clamped argument, so that it neither overflows (implementations may assume no infinities) nor traps. */
const logistic = (x: string, type: string): string => `(1.0 / (1.0 + exp(-max(${x}, ${type}(-80.0)))))`;

/** erf by its Maclaurin series and, further out, the continued fraction of erfc; exact to f64 for the reference. */
export function erf(x: number): number {
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 2.5) {
    let term = x;
    let total = x;
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(total) && n < 200; n++) {
      term *= (-x * x) / n;
      total += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * total;
  }
  let fraction = 0;
  for (let k = 60; k > 0; k--) fraction = k / 2 / (z + fraction);
  return Math.sign(x) * (1 - Math.exp(-z * z) / (Math.sqrt(Math.PI) * (z + fraction)));
}

/** All elementwise operations by name. */
export const elementwiseTable: Readonly<Record<ElementwiseName, ElementwiseRow>> = {
  neg: unary(
    "number",
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
  sign: unary("number", (x) => `sign(${x})`, Math.sign),
  floor: unary("float", (x) => `floor(${x})`, Math.floor),
  round: unary(
    "float",
    (x) => `round(${x})`,
    (x) => {
      const nearest = Math.round(x);
      return Math.abs(x % 1) === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
    },
  ),
  exp: unary(
    "float",
    (x) => `exp(${x})`,
    Math.exp,
    (e, g, y) => e.mul(g, y),
  ),
  log: unary(
    "float",
    (x) => `log(${x})`,
    Math.log,
    (e, g, _y, x) => e.div(g, x),
  ),
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
  square: unary(
    "number",
    (x) => `${x} * ${x}`,
    (x) => x * x,
    (e, g, _y, x) => e.mul(e.mul(g, 2), x),
  ),
  reciprocal: unary(
    "float",
    (x) => `1.0 / ${x}`,
    (x) => 1 / x,
    (e, g, y) => e.neg(e.mul(g, e.square(y))),
  ),
  sin: unary(
    "float",
    (x) => `sin(${x})`,
    Math.sin,
    (e, g, _y, x) => e.mul(g, e.cos(x)),
  ),
  cos: unary(
    "float",
    (x) => `cos(${x})`,
    Math.cos,
    (e, g, _y, x) => e.neg(e.mul(g, e.sin(x))),
  ),
  tanh: unary(
    "float",
    (x, type) => `tanh(clamp(${x}, ${type}(-20.0), ${type}(20.0)))`,
    Math.tanh,
    (e, g, y) => e.mul(g, e.sub(1, e.square(y))),
  ),
  sigmoid: unary(
    "float",
    (x, type) => logistic(x, type),
    sigmoid,
    (e, g, y) => e.mul(g, e.mul(y, e.sub(1, y))),
  ),
  silu: unary(
    "float",
    (x, type) => `${x} * ${logistic(x, type)}`,
    (x) => x * sigmoid(x),
    (e, g, _y, x) => {
      const s = e.sigmoid(x);
      return e.mul(g, e.mul(s, e.add(1, e.mul(x, e.sub(1, s)))));
    },
  ),
  relu: unary(
    "number",
    (x, type) => `max(${x}, ${type}(0))`,
    (x) => Math.max(x, 0),
    (e, g, y) => e.where(e.greater(y, 0), g, 0),
  ),
  erf: unary(
    "float",
    // Abramowitz and Stegun 7.1.26 loses the relative precision near zero; there the series takes over.
    (x, type) => `select(erf_far(${x}), erf_near(${x}), abs(${x}) < ${type}(0.5))`,
    erf,
    (e, g, _y, x) => e.mul(e.mul(g, 2 / Math.sqrt(Math.PI)), e.exp(e.neg(e.square(x)))),
  ),
  gelu: {
    ...unary(
      "float",
      (x, type) => `0.5 * ${x} * (1.0 + ${rowsErf(`(${x} * ${Math.SQRT1_2})`, type)})`,
      (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
      (e, g, _y, x) => {
        const cdf = e.mul(0.5, e.add(1, e.erf(e.mul(x, Math.SQRT1_2))));
        const density = e.mul(1 / Math.sqrt(2 * Math.PI), e.exp(e.mul(-0.5, e.square(x))));
        return e.mul(g, e.add(cdf, e.mul(x, density)));
      },
    ),
  },
  add: binary(
    "number",
    (a, b) => `${a} + ${b}`,
    (a, b) => a + b,
    (_e, g) => g,
    (_e, g) => g,
  ),
  sub: binary(
    "number",
    (a, b) => `${a} - ${b}`,
    (a, b) => a - b,
    (_e, g) => g,
    (e, g) => e.neg(g),
  ),
  mul: binary(
    "number",
    (a, b) => `${a} * ${b}`,
    (a, b) => a * b,
    (e, g, _y, _a, b) => e.mul(g, b),
    (e, g, _y, a) => e.mul(g, a),
  ),
  div: binary(
    "number",
    (a, b) => `${a} / ${b}`,
    (a, b) => a / b,
    (e, g, _y, _a, b) => e.div(g, b),
    (e, g, y, _a, b) => e.neg(e.div(e.mul(g, y), b)),
  ),
  // A negative base needs an integer exponent, as a real power has no value elsewhere.
  pow: binary(
    "float",
    (a, b) => `power(${a}, ${b})`,
    (a, b) => a ** b,
    (e, g, _y, a, b) => e.mul(g, e.mul(b, e.pow(a, e.sub(b, 1)))),
    (e, g, y, a) => e.mul(g, e.where(e.greater(a, 0), e.mul(y, e.log(e.maximum(a, 1e-30))), 0)),
  ),
  maximum: binary(
    "number",
    (a, b) => `max(${a}, ${b})`,
    Math.max,
    (e, g, _y, a, b) => e.where(e.greaterEqual(a, b), g, 0),
    (e, g, _y, a, b) => e.where(e.less(a, b), g, 0),
  ),
  minimum: binary(
    "number",
    (a, b) => `min(${a}, ${b})`,
    Math.min,
    (e, g, _y, a, b) => e.where(e.lessEqual(a, b), g, 0),
    (e, g, _y, a, b) => e.where(e.greater(a, b), g, 0),
  ),
  equal: binary(
    "compare",
    (a, b) => `${a} == ${b}`,
    (a, b) => bit(a === b),
  ),
  notEqual: binary(
    "compare",
    (a, b) => `${a} != ${b}`,
    (a, b) => bit(a !== b),
  ),
  less: binary(
    "compare",
    (a, b) => `${a} < ${b}`,
    (a, b) => bit(a < b),
  ),
  lessEqual: binary(
    "compare",
    (a, b) => `${a} <= ${b}`,
    (a, b) => bit(a <= b),
  ),
  greater: binary(
    "compare",
    (a, b) => `${a} > ${b}`,
    (a, b) => bit(a > b),
  ),
  greaterEqual: binary(
    "compare",
    (a, b) => `${a} >= ${b}`,
    (a, b) => bit(a >= b),
  ),
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
  logicalNot: unary(
    "logic",
    (x) => `!${x}`,
    (x) => bit(x === 0),
  ),
  finite: unary(
    "test",
    // By the bits of the exponent: implementations may assume that there are no infinities.
    (x, type) => {
      const bits = type.startsWith("vec4") ? "vec4<u32>" : "u32";
      return `((bitcast<${bits}>(${x}) & ${bits}(0x7f800000u)) != ${bits}(0x7f800000u))`;
    },
    (x) => bit(Number.isFinite(x)),
  ),
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
  toF32: unary(
    "cast",
    (x, type) => `${type}(${x})`,
    Math.fround,
    (_e, g) => g,
  ),
  toF16: unary(
    "cast",
    (x, type) => `${type}(${x})`,
    (x) => x,
    (_e, g) => g,
  ),
  toI32: unary("cast", (x, type) => `${type}(${x})`, Math.trunc),
  toU32: unary("cast", (x, type) => `${type}(${x})`, Math.trunc),
  toBool: unary(
    "cast",
    (x, type) => `${type}(${x})`,
    (x) => bit(x !== 0),
  ),
};

function rowsErf(x: string, type: string): string {
  return `select(erf_far(${x}), erf_near(${x}), abs(${x}) < ${type}(0.5))`;
}

/** Functions that some rows call, for the register type `T`. Put in front of a shader that mentions them. */
export const elementwisePrelude = (T: string): string => /* wgsl */ `
fn power(a: ${T}, b: ${T}) -> ${T} {
  let size = exp2(b * log2(max(abs(a), ${T}(1e-37))));
  let odd = abs(b - 2.0 * floor(b * 0.5)) == ${T}(1.0);
  let value = select(size, -size, (a < ${T}(0.0)) & odd);
  let at_zero = select(${T}(0.0), ${T}(1.0), b == ${T}(0.0));
  return select(value, at_zero, a == ${T}(0.0));
}
fn erf_near(x: ${T}) -> ${T} {
  let s = x * x;
  return x * (1.1283791671 + s * (-0.3761263890 + s * (0.1128379167 + s * (-0.0268661706 + s * (0.0052239776 - s * 0.0008548327)))));
}
fn erf_far(x: ${T}) -> ${T} {
  let z = min(abs(x), ${T}(9.0));
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sign(x) * (1.0 - p * exp(-z * z));
}
`;
