/** Activations of neural networks. */
import { call, type ElementwiseRow, isFloatRegister, unary } from "../row.ts";

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** erf by its Maclaurin series and, further out, the continued fraction of erfc; exact to f64 for the reference. */
export function erf(x: number): number {
  if (Number.isNaN(x)) return x;
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

export const activations = {
  sigmoid: unary("float", call("logistic"), sigmoid, (e, g, y) => e.mul(g, e.mul(y, e.sub(1, y)))),
  softplus: unary(
    "float",
    call("soft_plus"),
    (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    (e, g, _y, x) => e.mul(g, e.sigmoid(x)),
  ),
  silu: unary(
    "float",
    (x) => `${x} * logistic(${x})`,
    (x) => x * sigmoid(x),
    (e, g, _y, x) => {
      const s = e.sigmoid(x);
      return e.mul(g, e.mul(s, e.add(1, e.mul(x, e.sub(1, s)))));
    },
  ),
  relu: unary(
    "number",
    (x, { operand }) =>
      isFloatRegister(operand) ? `nan_or(${x}, max(${x}, ${operand}(0.0)))` : `max(${x}, ${operand}(0))`,
    (x) => Math.max(x, 0),
    (e, g, y) => e.where(e.lessEqual(y, 0), 0, g),
  ),
  erf: unary("float", call("error_function"), erf, (e, g, _y, x) =>
    e.mul(e.mul(g, 2 / Math.sqrt(Math.PI)), e.exp(e.neg(e.square(x)))),
  ),
  gelu: unary(
    "float",
    (x) => `0.5 * ${x} * (1.0 + error_function(${x} * ${Math.SQRT1_2}))`,
    (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
    (e, g, _y, x) => {
      const cdf = e.mul(0.5, e.add(1, e.erf(e.mul(x, Math.SQRT1_2))));
      const density = e.mul(1 / Math.sqrt(2 * Math.PI), e.exp(e.mul(-0.5, e.square(x))));
      return e.mul(g, e.add(cdf, e.mul(x, density)));
    },
  ),
} satisfies Record<string, ElementwiseRow>;
