import { cosineDistanceGradient, cosineDistance as kernel, sameShape } from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import { gradientComposition } from "../autograd/gradientComposition.ts";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { div, greater, mul, sqrt, square, sub, where } from "./elementwise.ts";
import { once } from "./once.ts";
import { sum } from "./sum.ts";

/** Options of `cosineDistance`. */
export interface CosineDistanceOptions {
  /** Lower bound of the product of the two lengths. Default 1e-8. */
  readonly epsilon?: number;
}

/** 1 − a·b / (|a| |b|) along the last axis: a, b […, C] → […]. A row of zeros is at distance 1 from everything. */
export function cosineDistance(a: Tensor, b: Tensor, options: CosineDistanceOptions = {}): Tensor {
  const { epsilon = 1e-8 } = checkOptions("cosineDistance", options, ["epsilon"]);
  checkTensor("cosineDistance", "a", a);
  checkTensor("cosineDistance", "b", b);
  const attrs = { epsilon };
  if (!a.size && sameShape(a.shape, b.shape) && a.shape.length) return composed({ a, b }, epsilon);
  const both = once((gradient) =>
    record(
      cosineDistanceGradient,
      { a, b, gradient },
      attrs,
      gradientComposition(["a", "b"], (inputs) => composed(inputs, epsilon)),
    ),
  );
  return record(kernel, { a, b }, attrs, {
    a: ({ y: g }) => both(g).aGradient,
    b: ({ y: g }) => both(g).bGradient,
  }).y;
}

/** `cosineDistance` in simple operations. */
function composed({ a, b }: Readonly<Record<"a" | "b", Tensor>>, epsilon: number): Tensor {
  const [squareA, squareB] = [sum(square(a), -1), sum(square(b), -1)];
  const isLong = greater(mul(sqrt(squareA), sqrt(squareB)), epsilon);
  // Where ε takes the place of the lengths, their roots at 0 must not have a gradient.
  const length = (squared: Tensor): Tensor => sqrt(where(isLong, squared, 1));
  const lengths = where(isLong, mul(length(squareA), length(squareB)), epsilon);
  return sub(1, div(sum(mul(a, b), -1), lengths));
}
