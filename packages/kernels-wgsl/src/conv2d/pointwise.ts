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

const matrix = (name: string, { dtype }: TensorSpec, stride: number): Matrix => ({
  ...{ name, stride, transposed: false },
  elements: elementsFor(stride, dtype),
  first: { outer: 0 },
});

export function pointwiseProduct(
  { batch, height, width, inChannels, outChannels }: Geometry,
  { x, weight, bias }: { x: TensorSpec; weight: TensorSpec; bias?: TensorSpec | undefined },
): Product {
  const pixels = batch * height * width;
  return matrixProduct({
    a: matrix("x", x, inChannels),
    b: matrix("weight", weight, outChannels),
    y: { name: "y", first: { outer: 0 }, stride: 1 },
    ...{ m: pixels, n: outChannels, k: inChannels, outputRows: pixels, slices: 1, bias: bias !== undefined },
  });
}
