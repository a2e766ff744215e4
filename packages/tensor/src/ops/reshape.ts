import { type DType, type Float, type Shape, ShapeError, sameShape, show, sizeOf } from "@ddad/kernels-wgsl";
import { recordView } from "../record.ts";
import type { AnyTensor, Tensor } from "../tensor.ts";

/** The same elements under another shape, without a copy. One extent may be −1 and follows from the others. */
export function reshape<D extends DType = Float>(x: Tensor<D>, shape: Shape): Tensor<D> {
  const target = infer(x, shape);
  if (sameShape(target, x.shape)) return x;
  return recordView("reshape", x, target, { x: ({ y: g }) => reshape(g!, x.shape) });
}

function infer(x: AnyTensor, shape: Shape): Shape {
  const unknown = shape.indexOf(-1);
  if (unknown < 0) return shape;
  const known = sizeOf(shape.filter((_, axis) => axis !== unknown));
  if (x.size % known || shape.lastIndexOf(-1) !== unknown) {
    throw new ShapeError(
      `reshape: ${show(x.shape)} does not fit ${show(shape)}; one −1 may stand for what is left over.`,
    );
  }
  return shape.map((extent, axis) => (axis === unknown ? x.size / known : extent));
}
