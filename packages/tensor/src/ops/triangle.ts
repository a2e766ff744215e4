/** Parts of matrices: triangles and diagonals of the last two axes. */

import { type DType, type Float, ShapeError, show } from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import type { AnyTensor, Tensor } from "../tensor.ts";
import { normaliseAxis } from "./axes.ts";
import { greaterEqual, lessEqual, logicalAnd, sub, where } from "./elementwise.ts";
import { iota } from "./iota.ts";
import { permute } from "./permute.ts";
import { reshape, unsqueeze } from "./reshape.ts";
import { slice } from "./slice.ts";

/** The upper triangle of x [..., M, N]: zeros where column − row is below `diagonal`. */
export const triu = <D extends DType = Float>(x: Tensor<D>, diagonal = 0): Tensor<D> =>
  masked("triu", x, (distance) => greaterEqual(distance, diagonal), diagonal);

/** The lower triangle of x [..., M, N]: zeros where column − row is above `diagonal`. */
export const tril = <D extends DType = Float>(x: Tensor<D>, diagonal = 0): Tensor<D> =>
  masked("tril", x, (distance) => lessEqual(distance, diagonal), diagonal);

function masked<D extends DType>(
  op: string,
  x: Tensor<D>,
  keeps: (distance: Tensor<"i32">) => Tensor<"bool">,
  diagonal: number,
): Tensor<D> {
  checkTensor(op, "x", x);
  if (x.shape.length < 2) throw new ShapeError(`${op}: x must have at least 2 axes but is ${show(x.shape)}.`);
  if (!Number.isInteger(diagonal))
    throw new ShapeError(`${op}: diagonal must be a whole number but is ${diagonal}.`);
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  const mask = keeps(sub(iota(columns), unsqueeze(iota(rows), 1)));
  const any: AnyTensor = x;
  const y: AnyTensor =
    any.dtype === "bool" ? logicalAnd(mask, any as Tensor<"bool">) : where(mask, any as Tensor, 0);
  return y as Tensor<D>;
}

/**
 * The elements whose column is their row plus `offset`, of the matrices along two axes (negative: from the end): these axes go, the
 * diagonal becomes the last one. As torch.diagonal, where offsets outside give no elements.
 *
 * @throws ShapeError where both axes are one, or the offset is no whole number
 */
export function diagonal<D extends DType = Float>(x: Tensor<D>, offset = 0, axis1 = 0, axis2 = 1): Tensor<D> {
  const [row, column] = [axis1, axis2].map((axis) => normaliseAxis("diagonal", x, axis)) as [number, number];
  if (row === column || !Number.isInteger(offset)) {
    throw new ShapeError(
      `diagonal: axes ${axis1} and ${axis2} of ${show(x.shape)} must be two, and offset ${offset} a whole number.`,
    );
  }
  const others = x.shape.map((_, axis) => axis).filter((axis) => axis !== row && axis !== column);
  const [rows, columns] = [x.shape[row]!, x.shape[column]!];
  const outer = others.map((axis) => x.shape[axis]!);
  const flat = reshape(permute(x, [...others, row, column]), [...outer, rows * columns]);
  const [firstRow, firstColumn] = [Math.max(0, -offset), Math.max(0, offset)];
  const count = Math.max(0, Math.min(rows - firstRow, columns - firstColumn));
  const first = firstRow * columns + firstColumn;
  const last = count === 0 ? first : first + (count - 1) * (columns + 1) + 1;
  const along = (value: number): (number | undefined)[] => [...outer.map(() => undefined), value];
  return slice(flat, along(first), along(last), along(columns + 1));
}
