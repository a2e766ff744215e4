/**
 * A convolution of single pixels is one product of matrices, [pixels, Cin] · [Cin, Cout], which shares its pipeline with `matmul` and
 * finds its operands without a division.
 */
import { type Matrix, matrixProduct } from "../matmul/matrices.ts";
import { elementsFor, type Product } from "../matmul/product.ts";
import type { TensorSpec } from "../spec.ts";
import { type Geometry, isPlain } from "./geometry.ts";

/** Whether every output pixel is made of one input pixel, its own. */
export const isPointwise = (g: Geometry): boolean =>
  isPlain(g) &&
  g.kernelHeight * g.kernelWidth === 1 &&
  g.height === g.outHeight &&
  g.width === g.outWidth &&
  g.top + g.left === 0;

const matrix = (name: string, { dtype }: TensorSpec, stride: number, transposed: boolean): Matrix => ({
  name,
  elements: elementsFor(stride, dtype),
  first: { outer: 0 },
  stride,
  transposed,
});

const product = (g: Geometry, a: Matrix, b: Matrix, y: string, bias: boolean): Product => {
  const pixels = g.batch * g.height * g.width;
  const [k, n] = b.transposed ? [g.outChannels, g.inChannels] : [g.inChannels, g.outChannels];
  return matrixProduct({
    ...{ a, b, y: { name: y, first: { outer: 0 }, stride: 1 } },
    ...{ m: pixels, n, k, outputRows: pixels, slices: 1, bias },
  });
};

/** y = x · weight + bias. */
export const pointwiseProduct = (
  g: Geometry,
  { x, weight, bias }: { x: TensorSpec; weight: TensorSpec; bias?: TensorSpec | undefined },
): Product =>
  product(
    g,
    matrix("x", x, g.inChannels, false),
    matrix("weight", weight, g.outChannels, false),
    "y",
    bias !== undefined,
  );

/** The gradient of x: that of y times the weight transposed. */
export const pointwiseInputProduct = (
  g: Geometry,
  { gradient, weight }: { gradient: TensorSpec; weight: TensorSpec },
): Product =>
  product(
    g,
    matrix("gradient", gradient, g.outChannels, false),
    matrix("weight", weight, g.outChannels, true),
    "xGradient",
    false,
  );
