/**
 * Where resizing reads, along one side of an image. Output pixel `o` lies at position `o·scale` (nearest), `o·(in−1)/(out−1)`
 * (aligned corners) or `(o+½)·scale − ½` (pixels are areas), in pixels of the input; it takes what the taps around its position
 * have, those outside the image replaced by the pixel at the edge: PyTorch's `interpolate` without antialiasing. Positions are whole
 * numbers over a denominator, so that pixels and weights are exact at any size.
 */
import type { Sides } from "../conv2d/geometry.ts";
import { check } from "../errors.ts";
import { repeat } from "../repeat.ts";
import { checkSize } from "./bilinear.ts";

/** A positive number as numerator and denominator. */
export type Fraction = readonly [numerator: number, denominator: number];

/** Attributes of resizing. */
export interface UpsampleAttrs {
  /** How pixels of x are interpolated. */
  readonly mode: "nearest" | "bilinear" | "bicubic";
  /** Height and width of `y`. */
  readonly size: Sides;
  /** Whether the centres of the corner pixels of `x` and `y` coincide; else the images' edges do. Not for `nearest`. */
  readonly alignCorners: boolean;
  /** Pixels of the input for one of the output, vertical and horizontal; default the ratio of the sizes. */
  readonly scale?: readonly [Fraction, Fraction];
}

/** Taps by their distance from ⌊position⌋, and their weights by the fraction of the position. */
const filters = {
  nearest: { first: 0, weights: () => [1], wgsl: () => ["1.0"] },
  bilinear: { first: 0, weights: (t: number) => [1 - t, t], wgsl: () => ["(1.0 - t)", "t"] },
  /** Cubic convolution with a = −0.75, as PyTorch has it. */
  bicubic: {
    first: -1,
    weights: (t: number) => [outer(1 + t), inner(t), inner(1 - t), outer(2 - t)],
    wgsl: () => ["outer(1.0 + t)", "inner(t)", "inner(1.0 - t)", "outer(2.0 - t)"],
  },
} as const;

const inner = (d: number): number => (1.25 * d - 2.25) * d * d + 1;
const outer = (d: number): number => ((-0.75 * d + 3.75) * d - 6) * d + 3;

const cubicCode = /* wgsl */ `
fn inner(d: f32) -> f32 { return (1.25 * d - 2.25) * d * d + 1.0; }
fn outer(d: f32) -> f32 { return ((-0.75 * d + 3.75) * d - 6.0) * d + 3.0; }`;

/** One side: position(o) = (o · slope + offset) / denominator. */
interface Axis {
  readonly input: number;
  readonly output: number;
  readonly slope: number;
  readonly offset: number;
  readonly denominator: number;
}

function axisOf(
  input: number,
  output: number,
  { mode, alignCorners }: UpsampleAttrs,
  scale?: Fraction,
): Axis {
  const [numerator, denominator] = scale ?? [input, output];
  const sizes = { input, output };
  if (mode === "nearest") return { ...sizes, slope: numerator, offset: 0, denominator };
  if (alignCorners) return { ...sizes, slope: input - 1, offset: 0, denominator: Math.max(1, output - 1) };
  return {
    ...sizes,
    slope: 2 * numerator,
    offset: numerator - denominator,
    denominator: 2 * denominator,
  };
}

/** Both sides of a resizing of an image of `inputSize`. Throws ShapeError where the sizes or the scale are none. */
export function axesOf(op: string, inputSize: Sides, attrs: UpsampleAttrs): readonly [Axis, Axis] {
  checkSize(op, "size of x", inputSize);
  checkSize(op, "size", attrs.size);
  check(
    Object.hasOwn(filters, attrs.mode),
    op,
    () => `mode must be nearest, bilinear or bicubic but is ${attrs.mode}.`,
  );
  check(
    attrs.mode !== "nearest" || !attrs.alignCorners,
    op,
    "alignCorners has no meaning for mode nearest; leave it out.",
  );
  for (const part of attrs.scale?.flat() ?? [])
    check(
      Number.isInteger(part) && part >= 1 && part <= 16384,
      op,
      () => `scale has ${part}, which is not within 1 to 16,384.`,
    );
  return [0, 1].map((side) =>
    axisOf(inputSize[side]!, attrs.size[side]!, attrs, attrs.scale?.[side]),
  ) as unknown as [Axis, Axis];
}

/** The pixels that output `o` reads along one side, and their weights. */
function tapsOf(
  { input, slope, offset, denominator }: Axis,
  mode: UpsampleAttrs["mode"],
  o: number,
): [number, number][] {
  const position = o * slope + offset;
  const low = Math.floor(position / denominator);
  const { first, weights } = filters[mode];
  return weights(position / denominator - low).map((weight, k) => [
    Math.min(Math.max(low + first + k, 0), input - 1),
    weight,
  ]);
}

/** Visits the pixels that each output pixel reads: flat indices of the pixels (without channels) and the weight. */
export function forEachTap(
  [vertical, horizontal]: readonly [Axis, Axis],
  mode: UpsampleAttrs["mode"],
  visit: (output: number, input: number, weight: number) => void,
): void {
  for (let row = 0; row < vertical.output; row++)
    for (let column = 0; column < horizontal.output; column++)
      for (const [h, down] of tapsOf(vertical, mode, row))
        for (const [w, along] of tapsOf(horizontal, mode, column))
          visit(row * horizontal.output + column, h * horizontal.input + w, down * along);
}

/** Taps of one side. */
export const tapCount = (mode: UpsampleAttrs["mode"]): number => filters[mode].wgsl().length;

/**
 * WGSL of one side, its functions named after `side`: `low` and `fraction` of an output's position, `pixel` and `weight` of its taps, and for the
 * gradient `outputs`, the first and the last that may read a pixel, and `total`, what one of them gives to it.
 */
export function axisCode(side: "V" | "H", axis: Axis, mode: UpsampleAttrs["mode"]): string {
  const { input, output, slope, offset, denominator } = axis;
  const { first, wgsl } = filters[mode];
  const weights = wgsl();
  const last = first + weights.length - 1;
  const position = `(i32(o) * ${slope} + ${offset})`;
  // Positions are above −1, so that adding 1 makes the quotient a floor.
  return /* wgsl */ `
fn low${side}(o: u32) -> i32 { return (${position} + ${denominator}) / ${denominator} - 1; }
fn fraction${side}(o: u32, low: i32) -> f32 { return f32(${position} - low * ${denominator}) / ${denominator}.0; }
fn pixel${side}(low: i32, k: i32) -> u32 { return u32(clamp(low + k + ${first}, 0, ${input - 1})); }
${weights.map((weight, k) => `fn weight${side}${k}(t: f32) -> f32 { return ${weight}; }`).join("\n")}
fn firstBeyond${side}(pixel: i32) -> i32 {
  return (max(pixel * ${denominator} - ${offset}, 0) + ${Math.max(slope, 1) - 1}) / ${Math.max(slope, 1)};
}
fn outputs${side}(pixel: u32) -> vec2i {
  // The pixels at the edges are read for all beyond them, too.
  return vec2i(
    select(firstBeyond${side}(i32(pixel) - ${last}), 0, pixel == 0u),
    select(min(firstBeyond${side}(i32(pixel) + ${1 - first}), ${output}) - 1, ${output - 1}, pixel == ${input - 1}u));
}
fn total${side}(o: u32, pixel: u32) -> f32 {
  let low = low${side}(o);
  let t = fraction${side}(o, low);
  var total = 0.0;
${repeat(weights.length, (k) => `  total += select(0.0, weight${side}${k}(t), pixel${side}(low, ${k}) == pixel);`)}
  return total;
}`;
}

/** WGSL that both sides need. */
export const filterCode = (mode: UpsampleAttrs["mode"]): string => (mode === "bicubic" ? cubicCode : "");
