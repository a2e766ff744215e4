/** Pooling to a given output size. */
import { ShapeError, show } from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import type { Tensor } from "../tensor.ts";
import { max } from "./max.ts";
import { mean } from "./mean.ts";
import { average, averagePool, maximumOf, maxPool } from "./pool.ts";
import { bothSides, type PerSide } from "./sides.ts";

/**
 * Mean over as many windows as the output has pixels: x [N, H, W, C] → [N, size, C]. Window i of n along a side of E pixels has the
 * pixels ⌊i·E/n⌋ to ⌈(i+1)·E/n⌉ − 1 (PyTorch's `adaptive_avg_pool2d`). Throws ShapeError for images without pixels.
 */
export function adaptiveAveragePool(x: Tensor, size: PerSide): Tensor {
  checkTensor("adaptiveAveragePool", "x", x);
  const target = bothSides("adaptiveAveragePool", "size", size);
  const windows = evenWindows(x, target);
  return windows ? averagePool(x, windows) : average(x, { size: target });
}

/** Largest element of the same windows; NaN wins, and among equals the first one takes the gradient. */
export function adaptiveMaxPool(x: Tensor, size: PerSide): Tensor {
  checkTensor("adaptiveMaxPool", "x", x);
  const target = bothSides("adaptiveMaxPool", "size", size);
  const windows = evenWindows(x, target);
  return windows ? maxPool(x, windows) : maximumOf(x, { size: target });
}

/** Mean of each channel of each image: x [N, H, W, C] → [N, 1, 1, C]. */
export const globalAveragePool = (x: Tensor): Tensor =>
  mean(checked("globalAveragePool", x), [1, 2], { keepDims: true });

/** Largest element of each channel of each image: x [N, H, W, C] → [N, 1, 1, C]. Those that tie for it share the gradient. */
export const globalMaxPool = (x: Tensor): Tensor =>
  max(checked("globalMaxPool", x), [1, 2], { keepDims: true });

/** Adjacent windows of one size, where the output size divides the input's. */
function evenWindows(x: Tensor, [height, width]: readonly [number, number]) {
  const [rows, columns] = [x.shape[1]! / height, x.shape[2]! / width];
  const even = rows >= 1 && columns >= 1 && Number.isInteger(rows) && Number.isInteger(columns);
  return even ? { kernelSize: [rows, columns] as const } : undefined;
}

function checked(op: string, x: Tensor): Tensor {
  checkTensor(op, "x", x);
  if (x.shape.length === 4) return x;
  throw new ShapeError(`${op}: x must have 4 axes but is ${show(x.shape)}.`);
}
