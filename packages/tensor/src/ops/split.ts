import { type DType, type Float, ShapeError, show } from "@ddad/kernels-wgsl";
import { checkList } from "../arguments.ts";
import type { Tensor } from "../tensor.ts";
import { normaliseAxis } from "./axes.ts";
import { slice } from "./slice.ts";

/**
 * Cuts a tensor along `axis` (negative: from the end): a number is the size of each part, the last one smaller where it does not go
 * in; a list holds the size of every part.
 *
 * @throws ShapeError for sizes that are no whole numbers or do not add up to the extent
 */
export function split<D extends DType = Float>(
  x: Tensor<D>,
  sizeOrSizes: number | readonly number[],
  axis = 0,
): Tensor<D>[] {
  const along = normaliseAxis("split", x, axis);
  const extent = x.shape[along]!;
  const sizes = typeof sizeOrSizes === "number" ? equalSizes(extent, sizeOrSizes) : sizeOrSizes;
  checkList("split", "sizes", sizes);
  if (sizes.some((size) => !Number.isInteger(size) || size < 0)) {
    throw new ShapeError(`split: sizes [${sizes.join(", ")}] must be whole numbers of at least 0.`);
  }
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total !== extent) {
    throw new ShapeError(
      `split: sizes [${sizes.join(", ")}] add up to ${total}, but axis ${along} of x ${show(x.shape)} has ${extent} elements.`,
    );
  }
  let start = 0;
  return sizes.map((size) => {
    const at = (position: number): (number | undefined)[] =>
      x.shape.map((_, other) => (other === along ? position : undefined));
    const part = slice(x, at(start), at(start + size));
    start += size;
    return part;
  });
}

/** Parts of one size, the last one smaller where it does not go in; a single empty one of an empty axis. */
function equalSizes(extent: number, size: number): number[] {
  if (!Number.isInteger(size) || size < 1)
    throw new ShapeError(`split: the size must be a whole number of at least 1 but is ${size}.`);
  const count = Math.max(1, Math.ceil(extent / size));
  return Array.from({ length: count }, (_, index) => Math.min(size, extent - index * size));
}

/**
 * Cuts a tensor along `axis` into at most `count` parts of equal size, the last one smaller. As in PyTorch there are fewer where
 * the size, rounded up, fills the axis before: 6 elements in 4 chunks are 2, 2, 2.
 */
export function chunk<D extends DType = Float>(x: Tensor<D>, count: number, axis = 0): Tensor<D>[] {
  if (!Number.isInteger(count) || count < 1)
    throw new ShapeError(`chunk: count must be a whole number of at least 1 but is ${count}.`);
  const extent = x.shape[normaliseAxis("chunk", x, axis)]!;
  return split(x, Math.max(1, Math.ceil(extent / count)), axis);
}
