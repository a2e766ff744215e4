/** Exponentials, logarithms, hyperbolic and circular functions. */
import { binary, call, type ElementwiseRow, unary } from "../row.ts";

export const exponential = {
  exp: unary(
    "float",
    (x) => `exp(${x})`,
    Math.exp,
    (e, g, y) => e.mul(g, y),
  ),
  exp2: unary(
    "float",
    (x) => `exp2(${x})`,
    (x) => 2 ** x,
    (e, g, y) => e.mul(e.mul(g, Math.LN2), y),
  ),
  expm1: unary("float", call("exp_m1"), Math.expm1, (e, g, y) => e.mul(g, e.add(y, 1))),
  log: unary(
    "float",
    (x) => `log(${x})`,
    Math.log,
    (e, g, _y, x) => e.div(g, x),
  ),
  log2: unary(
    "float",
    (x) => `log2(${x})`,
    Math.log2,
    (e, g, _y, x) => e.div(e.mul(g, Math.LOG2E), x),
  ),
  log1p: unary("float", call("log_1p"), Math.log1p, (e, g, _y, x) => e.div(g, e.add(x, 1))),
  sin: unary(
    "float",
    (x) => `turned(${x}, 0.0)`,
    Math.sin,
    (e, g, _y, x) => e.mul(g, e.cos(x)),
  ),
  cos: unary(
    "float",
    (x) => `turned(${x}, 1.0)`,
    Math.cos,
    (e, g, _y, x) => e.neg(e.mul(g, e.sin(x))),
  ),
  tan: unary(
    "float",
    (x) => `turned(${x}, 0.0) / turned(${x}, 1.0)`,
    Math.tan,
    (e, g, y) => e.mul(g, e.add(1, e.square(y))),
  ),
  asin: unary("float", call("arc_sine"), Math.asin, (e, g, _y, x) =>
    e.mul(g, e.rsqrt(e.sub(1, e.square(x)))),
  ),
  acos: unary("float", call("arc_cosine"), Math.acos, (e, g, _y, x) =>
    e.neg(e.mul(g, e.rsqrt(e.sub(1, e.square(x))))),
  ),
  atan: unary("float", call("arc_tangent"), Math.atan, (e, g, _y, x) => e.div(g, e.add(1, e.square(x)))),
  atan2: binary("float", call("arc_tangent_2"), Math.atan2, [
    (e, g, _y, a, b) => e.div(e.mul(g, b), e.add(e.square(a), e.square(b))),
    (e, g, _y, a, b) => e.neg(e.div(e.mul(g, a), e.add(e.square(a), e.square(b)))),
  ]),
  sinh: unary("float", call("hyperbolic_sine"), Math.sinh, (e, g, _y, x) => e.mul(g, e.cosh(x))),
  cosh: unary("float", call("hyperbolic_cosine"), Math.cosh, (e, g, _y, x) => e.mul(g, e.sinh(x))),
  tanh: unary("float", call("hyperbolic_tangent"), Math.tanh, (e, g, y) => e.mul(g, e.sub(1, e.square(y)))),
  asinh: unary("float", call("inverse_sinh"), Math.asinh, (e, g, _y, x) =>
    e.mul(g, e.rsqrt(e.add(1, e.square(x)))),
  ),
  acosh: unary("float", call("inverse_cosh"), Math.acosh, (e, g, _y, x) =>
    e.mul(g, e.rsqrt(e.sub(e.square(x), 1))),
  ),
  atanh: unary("float", call("inverse_tanh"), Math.atanh, (e, g, _y, x) => e.div(g, e.sub(1, e.square(x)))),
} satisfies Record<string, ElementwiseRow>;
