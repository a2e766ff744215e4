/**
 * Where bilinear resizing reads, along one axis. Output pixel `o` lies at `o·(in−1)/(out−1)` (aligned corners) or at
 * `(o+½)·in/out − ½` (pixels are areas), cut to 0 … in−1: PyTorch's `interpolate` without antialiasing. Positions are
 * kept as whole numbers over `denominator`, so that both the pixel and its weight are exact at any size.
 */
import { check } from "../errors.ts";
import { show } from "../spec.ts";

/** `position(o) = min(max(o·slope + offset, 0), last·denominator) / denominator` */
export interface Sampling {
  readonly slope: number;
  readonly offset: number;
  readonly denominator: number;
  /** Index of the last input pixel. */
  readonly last: number;
}

export function samplingOf(input: number, output: number, alignCorners: boolean): Sampling {
  const last = input - 1;
  // A single pixel on either side: slope and denominator of 1 keep position 0 and divisions possible.
  if (alignCorners)
    return { slope: Math.max(1, last), offset: 0, denominator: Math.max(1, output - 1), last };
  return { slope: 2 * input, offset: input - output, denominator: 2 * output, last };
}

/** The sampling as a WGSL constant of {@link samplingCode}. */
export const samplingConstant = ({ slope, offset, denominator, last }: Sampling): string =>
  `Sampling(${slope}, ${offset}, ${denominator}, ${last})`;

export const samplingCode = /* wgsl */ `
struct Sampling { slope: i32, offset: i32, denominator: i32, last: i32 }

// Position of an output pixel, in units of 1 / denominator input pixels.
fn positionOf(output: u32, s: Sampling) -> i32 {
  return clamp(i32(output) * s.slope + s.offset, 0, s.last * s.denominator);
}
`;

/** Height and width of images: whole numbers that 32-bit positions can hold. */
export function checkSize(op: string, name: string, size: readonly number[]): void {
  check(
    size.length === 2 && size.every((extent) => Number.isInteger(extent) && extent >= 1 && extent <= 16384),
    op,
    () => `${name} ${show(size)} must be a height and a width, whole numbers of 1 to 16,384.`,
  );
}

/** The reference's position of an output pixel, straight from the definition. */
export function positionOf(output: number, from: number, to: number, alignCorners: boolean): number {
  if (alignCorners) return to === 1 ? 0 : (output * (from - 1)) / (to - 1);
  return Math.min(Math.max(((output + 0.5) * from) / to - 0.5, 0), from - 1);
}

/** Visits the four input pixels of each output pixel: offsets of the pixels (without channels) and the weight. */
export function forEachCorner(
  from: readonly [number, number],
  to: readonly [number, number],
  alignCorners: boolean,
  visit: (output: number, input: number, weight: number) => void,
): void {
  const corners = (output: number, axis: 0 | 1): [number, number][] => {
    const position = positionOf(output, from[axis], to[axis], alignCorners);
    const low = Math.floor(position);
    return [
      [low, 1 - (position - low)],
      [Math.min(low + 1, from[axis] - 1), position - low],
    ];
  };
  for (let row = 0; row < to[0]; row++)
    for (let column = 0; column < to[1]; column++)
      for (const [h, vertical] of corners(row, 0))
        for (const [w, horizontal] of corners(column, 1))
          visit(row * to[1] + column, h * from[1] + w, vertical * horizontal);
}
