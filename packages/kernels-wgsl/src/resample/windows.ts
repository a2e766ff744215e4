/** Pooling windows along the two sides of an image: their rules, the sizes they give, and the loops over their pixels. */
import { checkDistance, type Padding, type Sides, sidesOf } from "../conv2d/geometry.ts";
import { check } from "../errors.ts";
import { type Shape, show } from "../spec.ts";
import { forEachElement } from "./images.ts";

/** Windows of one size, a stride apart. */
export interface Windows {
  /** Height and width of a window, in taps. */
  readonly kernelSize: number | Sides;
  /** Distance between windows. */
  readonly stride: number | Sides;
  /** Pixels added on every side, or at the top, left, bottom and right; fewer than a window spans. */
  readonly padding: number | Padding;
  /** Distance between taps. Default 1. */
  readonly dilation?: number | Sides;
  /** Whether a last window may reach past the padding: the output's size is rounded up instead of down. */
  readonly ceilMode?: boolean;
}

/** As many windows as are asked for, which cover the image evenly: PyTorch's adaptive pooling. */
export interface AdaptiveWindows {
  /** Height and width of the output. */
  readonly size: Sides;
}

export type PoolWindows = Windows | AdaptiveWindows;

/** Windows along one side. Those of one size have taps at o·stride − before + k·dilation; others at ⌊o·input/output⌋ … */
export interface WindowAxis {
  readonly input: number;
  readonly output: number;
  readonly regular:
    | {
        readonly kernel: number;
        readonly stride: number;
        readonly before: number;
        readonly after: number;
        readonly dilation: number;
      }
    | undefined;
}

/** Vertical and horizontal windows. */
export type WindowAxes = readonly [vertical: WindowAxis, horizontal: WindowAxis];

const paddingOf = (padding: number | Padding): Padding =>
  typeof padding === "number" ? [padding, padding, padding, padding] : padding;

/** The windows over x [N, H, W, C]. Throws ShapeError with a sentence where they do not fit. */
export function windowAxes(op: string, x: Shape, windows: PoolWindows): WindowAxes {
  const [, height, width] = x as [number, number, number, number];
  check(height > 0 && width > 0, op, () => `x ${show(x)} has no pixels to pool.`);
  if ("size" in windows) return adaptiveAxes(op, x, windows.size);
  const { stride, dilation = 1, ceilMode = false } = windows;
  const padding = paddingOf(windows.padding);
  checkDistance(op, "kernelSize", windows.kernelSize);
  checkDistance(op, "stride", stride);
  checkDistance(op, "dilation", dilation);
  const kernels = sidesOf(windows.kernelSize);
  const spans = kernels.map((kernel, side) => (kernel - 1) * sidesOf(dilation)[side]! + 1);
  check(
    padding.length === 4 &&
      padding.every((extent, k) => Number.isInteger(extent) && extent >= 0 && extent < spans[k % 2]!),
    op,
    () =>
      `padding ${show(padding)} must be whole numbers of at least 0, smaller than the ${spans.join("×")} pixels that a window spans.`,
  );
  const [vertical, horizontal] = [height, width].map((input, side): WindowAxis => {
    const [before, after] = [padding[side]!, padding[side + 2]!];
    const distance = sidesOf(stride)[side]!;
    const room = input + before + after - spans[side]!;
    const count = (ceilMode ? Math.ceil(room / distance) : Math.floor(room / distance)) + 1;
    // A last window has to start inside of the image or what is padded before it, so that it holds a pixel.
    const output = ceilMode && (count - 1) * distance >= input + before ? count - 1 : count;
    check(
      room >= 0 && output >= 1,
      op,
      () => `a window of ${spans.join("×")} is larger than x ${show(x)} with padding ${show(padding)}.`,
    );
    const taps = { kernel: kernels[side]!, stride: distance, dilation: sidesOf(dilation)[side]! };
    return { input, output, regular: { ...taps, before, after } };
  }) as [WindowAxis, WindowAxis];
  return [vertical, horizontal];
}

function adaptiveAxes(op: string, x: Shape, size: Sides): WindowAxes {
  check(
    size.length === 2 && size.every((extent) => Number.isInteger(extent) && extent >= 1),
    op,
    () => `size ${show(size)} must be a height and a width, whole numbers of at least 1.`,
  );
  return [
    { input: x[1]!, output: size[0], regular: undefined },
    { input: x[2]!, output: size[1], regular: undefined },
  ];
}

/** Shape of the pooled image. */
export const pooledShape = (x: Shape, [vertical, horizontal]: WindowAxes): number[] => [
  x[0]!,
  vertical.output,
  horizontal.output,
  x[3]!,
];

/** WGSL that opens a loop over the pixels `at` of the window `o` along one side, the padding left out. */
function openLoop({ input, output, regular }: WindowAxis, tap: string, at: string, o: string): string {
  if (!regular)
    return `for (var ${at} = ${o} * ${input}u / ${output}u; ${at} < ((${o} + 1u) * ${input}u + ${output - 1}u) / ${output}u; ${at}++) {`;
  const { kernel, stride, before, dilation } = regular;
  const offset = dilation === 1 ? tap : `${tap} * ${dilation}u`;
  return `for (var ${tap} = 0u; ${tap} < ${kernel}u; ${tap}++) {
      let ${at} = ${o} * ${stride}u + ${offset} - ${before}u;
      if (${at} >= ${input}u) { continue; }`;
}

/**
 * WGSL that runs `body` for each pixel (`h`, `w`) of the window at (`row`, `column`). Pixels above or left of x wrap around to
 * huge numbers, so that one comparison finds all that lie outside.
 */
export const overWindow = ([vertical, horizontal]: WindowAxes, body: string): string => /* wgsl */ `
    ${openLoop(vertical, "k", "h", "row")}
      ${openLoop(horizontal, "j", "w", "column")}
        ${body}
      }
    }`;

/** WGSL of the first and the last window, inclusive, that may have `pixel` along one side; of those without gaps, all between do. */
function coveringWindows({ input, output, regular }: WindowAxis, pixel: string): [string, string] {
  if (!regular)
    return [`${pixel} * ${output}u / ${input}u`, `((${pixel} + 1u) * ${output}u - 1u) / ${input}u`];
  const { kernel, stride, before, dilation } = regular;
  const span = (kernel - 1) * dilation + 1;
  const at = before === 0 ? pixel : `(${pixel} + ${before}u)`;
  return [
    // Of windows that end before the pixel, the subtraction wraps around for none: select takes the other value.
    `select((${at} - ${span}u) / ${stride}u + 1u, 0u, ${at} < ${span}u)`,
    `min(${at} / ${stride}u, ${output - 1}u)`,
  ];
}

/** WGSL that runs `body` for each window (`h`, `w`) that may have the pixel at (`row`, `column`). */
export function overCoveringWindows([vertical, horizontal]: WindowAxes, body: string): string {
  const [top, bottom] = coveringWindows(vertical, "row");
  const [left, right] = coveringWindows(horizontal, "column");
  return /* wgsl */ `
    let bottom = ${bottom};
    let left = ${left};
    let right = ${right};
    for (var h = ${top}; h <= bottom; h++) {
      for (var w = left; w <= right; w++) {
        ${body}
      }
    }`;
}

/** The pixels of window `o`, the padding left out. */
function pixelsOf({ input, output, regular }: WindowAxis, o: number): number[] {
  if (!regular) {
    const first = Math.floor((o * input) / output);
    return Array.from({ length: Math.ceil(((o + 1) * input) / output) - first }, (_, k) => first + k);
  }
  const { kernel, stride, before, dilation } = regular;
  return Array.from({ length: kernel }, (_, k) => o * stride + k * dilation - before).filter(
    (pixel) => pixel >= 0 && pixel < input,
  );
}

/** Visits the pixels of each window, row by row, but for those of the padding: flat indices in `y` and in `x`. */
export function forEachWindowPixel(
  x: Shape,
  axes: WindowAxes,
  visit: (yIndex: number, xIndex: number, row: number, column: number) => void,
): void {
  const [, height, width, channels] = x as [number, number, number, number];
  const [rows, columns] = axes.map((axis) =>
    Array.from({ length: axis.output }, (_, o) => pixelsOf(axis, o)),
  ) as [number[][], number[][]];
  forEachElement(pooledShape(x, axes), (n, row, column, c, index) => {
    for (const h of rows[row]!)
      for (const w of columns[column]!)
        visit(index, ((n * height + h) * width + w) * channels + c, row, column);
  });
}

/** Pixels that windows read if all were inside: the work of a pooling. */
export const readsOf = (y: number, axes: WindowAxes): number =>
  axes.reduce(
    (reads, { input, output, regular }) => reads * (regular?.kernel ?? Math.ceil(input / output)),
    y,
  );
