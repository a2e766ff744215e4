/** Square pooling windows: their rules, the sizes they give, and the loops over their pixels. */
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import type { Capabilities, Pass } from "../kernel.ts";
import { type Shape, show, sizeOf } from "../spec.ts";
import { forEachElement, imageOf, splitIndex } from "./images.ts";

export interface Windows {
  /** Height and width of a window. */
  readonly kernelSize: number;
  /** Distance between windows. */
  readonly stride: number;
  /** Pixels added on every side; at most half of `kernelSize`. */
  readonly padding: number;
}

export function checkWindows(op: string, { kernelSize, stride, padding }: Windows): void {
  check(
    Number.isInteger(kernelSize) && kernelSize >= 1 && Number.isInteger(stride) && stride >= 1,
    op,
    `kernelSize ${kernelSize} and stride ${stride} must be whole numbers of at least 1.`,
  );
  check(
    Number.isInteger(padding) && padding >= 0 && 2 * padding <= kernelSize,
    op,
    `padding ${padding} must be a whole number of at least 0 and at most half of kernelSize ${kernelSize}.`,
  );
}

/**
 * Shape of the pooled image. With `ceil` a last window may reach past the padding, but it has to start inside of the image
 * or its left padding (PyTorch's rule), so that it holds at least one pixel.
 */
export function pooledShape(op: string, x: Shape, windows: Windows, ceil = false): number[] {
  const { kernelSize, stride, padding } = windows;
  const [batch, height, width, channels] = x as [number, number, number, number];
  const along = (extent: number): number => {
    const room = extent + 2 * padding - kernelSize;
    const count = (ceil ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
    return ceil && (count - 1) * stride >= extent + padding ? count - 1 : count;
  };
  const shape = [batch, along(height), along(width), channels];
  check(
    shape.every((extent) => extent >= 1),
    op,
    `a window of ${kernelSize}×${kernelSize} is larger than x ${show(x)} with padding ${padding}.`,
  );
  return shape;
}

/** The pass from `x` to `y` that folds the pixels of each window: `fold` updates `total` (first `start`) by `value`. */
export function windowPass(
  caps: Capabilities,
  x: Shape,
  y: Shape,
  { kernelSize, stride, padding }: Windows,
  { start, fold, result }: { start: number; fold: string; result: string },
): Pass {
  const from = imageOf(x);
  const to = imageOf(y);
  return {
    read: { x: from.element },
    write: { y: to.element },
    // Pixels above or left of x wrap around to huge numbers, so one comparison finds all that lie outside.
    ...gridStride(
      caps,
      to.size,
      "params.size",
      /* wgsl */ `
    ${splitIndex(to)}
    var total = ${to.element}(${start});
    for (var k = 0u; k < ${kernelSize}u; k++) {
      let h = row * ${stride}u + k - ${padding}u;
      if (h >= ${from.height}u) { continue; }
      for (var j = 0u; j < ${kernelSize}u; j++) {
        let w = column * ${stride}u + j - ${padding}u;
        if (w >= ${from.width}u) { continue; }
        let value = x[((n * ${from.height}u + h) * ${from.width}u + w) * ${from.units}u + c];
        total = ${fold};
      }
    }
    y[i] = ${result};`,
    ),
  };
}

/** Visits the pixels of each window, row by row, but for those of the padding: flat indices in `y` and in `x`. */
export function forEachWindowPixel(
  x: Shape,
  y: Shape,
  { kernelSize, stride, padding }: Windows,
  visit: (yIndex: number, xIndex: number) => void,
): void {
  const [, height, width, channels] = x as [number, number, number, number];
  forEachElement(y, (n, row, column, c, index) => {
    for (let i = 0; i < kernelSize; i++)
      for (let j = 0; j < kernelSize; j++) {
        const h = row * stride + i - padding;
        const w = column * stride + j - padding;
        if (h < 0 || h >= height || w < 0 || w >= width) continue;
        visit(index, ((n * height + h) * width + w) * channels + c);
      }
  });
}

/** For each element of `y`, the flat index in `x` of its window's first maximum. */
export function argmaxOfWindows(x: ArrayLike<number>, from: Shape, to: Shape, windows: Windows): Int32Array {
  const best = new Int32Array(sizeOf(to)).fill(-1);
  forEachWindowPixel(from, to, windows, (yIndex, xIndex) => {
    const known = best[yIndex]!;
    if (known < 0 || x[xIndex]! > x[known]!) best[yIndex] = xIndex;
  });
  return best;
}
