/** Square pooling windows: their rules, the sizes they give, their maxima, and the pass that averages them. */
import { check } from "../errors.ts";
import { grid, type Pass, perThread } from "../kernel.ts";
import { ceilDiv, type Shape, show } from "../spec.ts";
import { forEachElement, imageOf, workgroupSize } from "./images.ts";

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

/** Pixels of a row that one thread makes: neighbours share the sums over the columns of their windows. */
const tile = 2;

/** Threads of {@link windowSumPass} for an output of this shape: its parameter `threads`. */
export function windowSumThreads(y: Shape): number {
  const { height, width, units } = imageOf(y);
  return y[0]! * height * ceilDiv(width, tile) * units;
}

/**
 * `y = scale × Σ` over windows of `x`, pixels outside of `x` counting as zeros. With stride 1 the gradient of average
 * pooling is this pass too: over the gradient, with padding `kernelSize − 1 − padding`.
 */
export function windowSumPass(
  x: { readonly name: string; readonly shape: Shape },
  y: { readonly name: string; readonly shape: Shape },
  { kernelSize, stride, padding }: Windows,
  scale: number,
): Pass {
  const from = imageOf(x.shape);
  const to = imageOf(y.shape);
  const tiles = ceilDiv(to.width, tile);
  const pixels = Array.from({ length: tile }, (_, pixel) => pixel);
  const columns = Array.from({ length: (tile - 1) * stride + kernelSize }, (_, column) => ({
    column,
    pixels: pixels.filter((pixel) => column >= pixel * stride && column < pixel * stride + kernelSize),
  })).filter((column) => column.pixels.length > 0);
  return {
    read: { [x.name]: from.element },
    write: { [y.name]: to.element },
    workgroups: grid(ceilDiv(windowSumThreads(y.shape), workgroupSize)),
    code: /* wgsl */ `
fn columnSum(n: u32, top: u32, column: u32, c: u32) -> ${from.element} {
  var sum = ${from.element}(0);
  for (var k = 0u; k < ${kernelSize}u; k++) {
    let row = top + k;
    if (row < ${from.height}u) {
      sum += ${x.name}[((n * ${from.height}u + row) * ${from.width}u + column) * ${from.units}u + c];
    }
  }
  return sum;
}
${perThread(
  workgroupSize,
  /* wgsl */ `
  if (i >= params.threads) { return; }
  let c = i % ${to.units}u;
  let first = i / ${to.units}u % ${tiles}u * ${tile}u;
  let row = i / ${to.units * tiles}u % ${to.height}u;
  let n = i / ${to.units * tiles * to.height}u;
  // Pixels above or left of x wrap around to huge numbers, so one comparison finds everything that lies outside.
  let top = row * ${stride}u - ${padding}u;
  let left = first * ${stride}u - ${padding}u;
${pixels.map((pixel) => `  var total${pixel} = ${to.element}(0);`).join("\n")}
${columns
  .map(
    ({ column, pixels: sharing }) => `  if (left + ${column}u < ${from.width}u) {
    let sum = columnSum(n, top, left + ${column}u, c);
    ${sharing.map((pixel) => `total${pixel} += sum;`).join(" ")}
  }`,
  )
  .join("\n")}
  let at = (i / ${to.units * tiles}u * ${to.width}u + first) * ${to.units}u + c;
${pixels
  .map(
    (pixel) => `  if (first + ${pixel}u < ${to.width}u) {
    ${y.name}[at + ${pixel * to.units}u] = total${pixel} * f32(${scale});
  }`,
  )
  .join("\n")}`,
)}`,
  };
}
