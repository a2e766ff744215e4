import { ShapeError } from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import { checkOptions } from "../options.ts";
import type { Tensor } from "../tensor.ts";
import { add, div, mul, pow, square } from "./elementwise.ts";
import { pad } from "./pad.ts";
import { slice } from "./slice.ts";

/** Options of `localResponseNorm`. */
export interface LocalResponseNormOptions {
  /** Channels that are summed around each one, itself included. */
  readonly size: number;
  /** Default 1e-4. */
  readonly alpha?: number;
  /** Default 0.75. */
  readonly beta?: number;
  /** Default 1. */
  readonly k?: number;
}

/**
 * Normalisation across neighbouring channels (Krizhevsky et al. 2012): x […, C] → x / (k + alpha / size · Σ x²)^beta. The sum is
 * over `size` channels, from ⌊size / 2⌋ below each one to ⌊(size − 1) / 2⌋ above it, as in PyTorch; there are zeros outside.
 * Throws ShapeError where `size` is not a whole number of at least 1, or x has no axis.
 */
export function localResponseNorm(x: Tensor, options: LocalResponseNormOptions): Tensor {
  checkTensor("localResponseNorm", "x", x);
  checkOptions("localResponseNorm", options, ["size", "alpha", "beta", "k"], "{ size: 5 }");
  const { size, alpha = 1e-4, beta = 0.75, k = 1 } = options;
  if (!Number.isInteger(size) || size < 1)
    throw new ShapeError(`localResponseNorm: size must be a whole number of at least 1 but is ${size}.`);
  const channels = x.shape.at(-1);
  if (channels === undefined) throw new ShapeError("localResponseNorm: x must be […, C] but is [].");
  const others = x.shape.slice(0, -1);
  const none = others.map(() => 0);
  const padded = pad(square(x), [...none, Math.floor(size / 2)], [...none, Math.floor((size - 1) / 2)]);
  const whole = others.map(() => undefined);
  const total = Array.from({ length: size }, (_, first) =>
    slice(padded, [...whole, first], [...whole, first + channels]),
  ).reduce((a, b) => add(a, b));
  return div(x, pow(add(mul(total, alpha / size), k), beta));
}
