import {
  type Fraction,
  ShapeError,
  type UpsampleAttrs,
  upsampleGradient,
  upsample as upsampleKernel,
} from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { upsampleNearest2 } from "./resample.ts";
import { resizeBilinear } from "./resizeBilinear.ts";
import { bothSides, type PerSide } from "./sides.ts";

/** Options of `upsample`: a size or a factor, not both. */
export interface UpsampleOptions {
  /** Height and width of the result. */
  readonly size?: PerSide;
  /** By what height and width are multiplied; the result's size is rounded down. */
  readonly scaleFactor?: PerSide;
  /** Default nearest. */
  readonly mode?: "nearest" | "bilinear" | "bicubic";
  /** Whether the corner pixels' centres coincide; else the images' edges do. Default false. Not for mode nearest. */
  readonly alignCorners?: boolean;
}

/**
 * Resizes x [N, H, W, C] to larger or smaller images, without antialiasing: PyTorch's `interpolate`. With a factor, positions are
 * those that the factor gives, also where size and factor do not agree exactly. Throws ShapeError where the options do not fit.
 */
export function upsample(x: Tensor, options: UpsampleOptions): Tensor {
  checkTensor("upsample", "x", x);
  checkOptions("upsample", options, ["size", "scaleFactor", "mode", "alignCorners"], "{ scaleFactor: 2 }");
  const { size, scaleFactor, mode = "nearest", alignCorners = false } = options;
  if ((size === undefined) === (scaleFactor === undefined))
    throw new ShapeError("upsample: needs either size or scaleFactor.");
  const from = sizeOf(x);
  if (size !== undefined)
    return resized(x, bothSides("upsample", "size", size), mode, alignCorners, undefined);
  const factors = bothSides("upsample", "scaleFactor", scaleFactor!);
  if (!factors.every((factor) => Number.isFinite(factor) && factor > 0))
    throw new ShapeError(`upsample: scaleFactor must be above 0 but is ${factors.join(" and ")}.`);
  const to = [0, 1].map((side) => Math.floor(from[side]! * factors[side]!)) as [number, number];
  const scale = factors.map((factor) => fractionOf(1 / factor)) as [Fraction, Fraction];
  const exact = scale.every(([pixels, of], side) => pixels * to[side]! === of * from[side]!);
  return resized(x, to, mode, alignCorners, exact || alignCorners ? undefined : scale);
}

function resized(
  x: Tensor,
  size: readonly [number, number],
  mode: NonNullable<UpsampleOptions["mode"]>,
  alignCorners: boolean,
  scale: readonly [Fraction, Fraction] | undefined,
): Tensor {
  const [height, width] = sizeOf(x);
  if (!scale && !alignCorners && mode === "nearest" && size[0] === 2 * height && size[1] === 2 * width)
    return upsampleNearest2(x);
  if (!scale && mode === "bilinear" && x.dtype === "f32") return resizeBilinear(x, size, { alignCorners });
  return interpolate(x, { mode, size, alignCorners, ...(scale && { scale }) });
}

const interpolate = (x: Tensor, attrs: UpsampleAttrs): Tensor =>
  record(upsampleKernel, { x }, attrs, { x: ({ y }) => interpolateBack(y, sizeOf(x), attrs) }).y;

/** The adjoint, of which the adjoint is the resizing again. */
const interpolateBack = (
  gradient: Tensor,
  inputSize: readonly [height: number, width: number],
  attrs: UpsampleAttrs,
): Tensor =>
  record(
    upsampleGradient,
    { gradient },
    { ...attrs, inputSize },
    { gradient: ({ xGradient }) => interpolate(xGradient, attrs) },
  ).xGradient;

function sizeOf(x: Tensor): [number, number] {
  if (x.shape.length !== 4)
    throw new ShapeError(`upsample: x must have 4 axes but is [${x.shape.join(", ")}].`);
  return [x.shape[1]!, x.shape[2]!];
}

/** The fraction nearest to a number whose parts are at most 16,384, by its continued fraction. */
export function fractionOf(value: number): Fraction {
  let [before, last]: [Fraction, Fraction] = [
    [0, 1],
    [1, 0],
  ];
  let rest = value;
  for (;;) {
    const whole = Math.floor(rest);
    const next: Fraction = [whole * last[0] + before[0], whole * last[1] + before[1]];
    if (Math.max(...next) > 16384) break;
    [before, last] = [last, next];
    if (Math.abs(next[0] / next[1] - value) <= 1e-12 * value || rest === whole) break;
    rest = 1 / (rest - whole);
  }
  if (last[0] === 0 || last[1] === 0)
    throw new ShapeError(`upsample: scaleFactor ${1 / value} is not within 1/16,384 to 16,384.`);
  return last;
}
