/** Pixels out of channels and back: each is the other's inverse and gradient, so they stand together. */

import { ShapeError, show } from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import type { Tensor } from "../tensor.ts";
import { permute } from "./permute.ts";
import { reshape } from "./reshape.ts";

/**
 * Every pixel becomes factor × factor ones out of its channels: x [N, H, W, C · factor²] → [N, H · factor, W · factor, C]
 * (Shi et al. 2016). Channels are read in PyTorch's order: C outermost, then the new rows, then the new columns.
 * Throws ShapeError where the channels do not divide.
 */
export function pixelShuffle(x: Tensor, factor: number): Tensor {
  check("pixelShuffle", x, factor);
  const [n, h, w, channels] = x.shape as readonly [number, number, number, number];
  const c = channels / factor ** 2;
  if (!Number.isInteger(c)) {
    throw new ShapeError(
      `pixelShuffle: x ${show(x.shape)} has ${channels} channels, which ${factor}² = ${factor ** 2} does not divide.`,
    );
  }
  const parts = permute(reshape(x, [n, h, w, c, factor, factor]), [0, 1, 4, 2, 5, 3]);
  return reshape(parts, [n, h * factor, w * factor, c]);
}

/**
 * The inverse of `pixelShuffle`: x [N, H · factor, W · factor, C] → [N, H, W, C · factor²]. Throws ShapeError where height or
 * width do not divide.
 */
export function pixelUnshuffle(x: Tensor, factor: number): Tensor {
  check("pixelUnshuffle", x, factor);
  const [n, height, width, c] = x.shape as readonly [number, number, number, number];
  const [h, w] = [height / factor, width / factor];
  if (!Number.isInteger(h) || !Number.isInteger(w)) {
    throw new ShapeError(
      `pixelUnshuffle: x ${show(x.shape)} is ${height} × ${width} pixels, which ${factor} does not divide.`,
    );
  }
  const parts = permute(reshape(x, [n, h, factor, w, factor, c]), [0, 1, 3, 5, 2, 4]);
  return reshape(parts, [n, h, w, c * factor ** 2]);
}

function check(op: string, x: Tensor, factor: number): void {
  checkTensor(op, "x", x);
  if (x.shape.length !== 4)
    throw new ShapeError(`${op}: x must be images [N, H, W, C] but is ${show(x.shape)}.`);
  if (!Number.isInteger(factor) || factor < 1)
    throw new ShapeError(`${op}: factor must be a whole number of at least 1 but is ${factor}.`);
}
