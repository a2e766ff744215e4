/** Square pooling windows: their rules, the sizes they give, and the reference's maxima. */
import { check } from "../errors.ts";
import { type Shape, show } from "../spec.ts";
import { forEachElement } from "./images.ts";

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

/** Visits each window's first maximum (the smallest row, then column): flat indices in `y` and in `x`. */
export function forEachMaximum(
  x: ArrayLike<number>,
  from: Shape,
  to: Shape,
  { kernelSize, stride, padding }: Windows,
  visit: (yIndex: number, xIndex: number) => void,
): void {
  const [, height, width, channels] = from as [number, number, number, number];
  forEachElement(to, (n, row, column, c, index) => {
    let best = -1;
    for (let i = 0; i < kernelSize; i++)
      for (let j = 0; j < kernelSize; j++) {
        const h = row * stride + i - padding;
        const w = column * stride + j - padding;
        if (h < 0 || h >= height || w < 0 || w >= width) continue;
        const at = ((n * height + h) * width + w) * channels + c;
        if (best < 0 || x[at]! > x[best]!) best = at;
      }
    visit(index, best);
  });
}
