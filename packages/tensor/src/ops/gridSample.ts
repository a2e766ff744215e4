/** Sampling of images at positions that are computed; positions and images have derivatives of any order. */
import { type GridSampleAttrs, gridSampleInputGradient, gridSample as kernel } from "@ddad/kernels-wgsl";
import { partialGrad } from "../autograd/grad.ts";
import { arange } from "../create.ts";
import { checkOptions } from "../options.ts";
import { record, zeroGradient } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import {
  abs,
  add,
  cast,
  div,
  equal,
  floor,
  greaterEqual,
  lessEqual,
  logicalAnd,
  maximum,
  minimum,
  mul,
  sub,
  where,
} from "./elementwise.ts";
import { gather } from "./gather.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";

/** Options of `gridSample`. */
export interface GridSampleOptions {
  /** Default bilinear. */
  readonly mode?: "bilinear" | "nearest" | "bicubic";
  /** What lies outside of the image: zeros, the pixel at the edge, or the image reflected. Default zeros. */
  readonly paddingMode?: "zeros" | "border" | "reflection";
  /** Whether −1 and 1 are the centres of the corner pixels; else the edges of the image. Default false. */
  readonly alignCorners?: boolean;
}

/** A pixel that is read along one side: where, how much it counts, and whether it is one of the image's. */
interface Tap {
  readonly at: Tensor;
  readonly weight: Tensor;
  /** Undefined where all are inside. */
  readonly inside: Tensor<"bool"> | undefined;
}

/**
 * Pixels of x [N, H, W, C] at the positions of grid [N, OH, OW, 2] → [N, OH, OW, C]: PyTorch's `grid_sample`. A position is (x, y): across
 * from −1 on the left to 1 on the right, and down from −1 at the top to 1 at the bottom. The grid is f32. Throws ShapeError where the
 * shapes do not fit together.
 */
export function gridSample(x: Tensor, grid: Tensor, options: GridSampleOptions = {}): Tensor {
  const {
    mode = "bilinear",
    paddingMode = "zeros",
    alignCorners = false,
  } = checkOptions("gridSample", options, ["mode", "paddingMode", "alignCorners"]);
  return sample(x, grid, { mode, paddingMode, alignCorners });
}

const sample = (x: Tensor, grid: Tensor, attrs: GridSampleAttrs): Tensor =>
  record(kernel, { x, grid }, attrs, {
    x: ({ y }) => sampleBack(y, grid, [x.shape[1]!, x.shape[2]!], attrs),
    // Which pixel is the nearest does not change with the position, but for jumps.
    grid: attrs.mode === "nearest" ? zeroGradient : ({ y }) => gridGradient(x, grid, y, attrs),
  }).y;

/** The adjoint in x, of which the adjoint is the sampling again. */
const sampleBack = (
  gradient: Tensor,
  grid: Tensor,
  inputSize: readonly [height: number, width: number],
  attrs: GridSampleAttrs,
): Tensor =>
  record(
    gridSampleInputGradient,
    { gradient, grid },
    { ...attrs, inputSize },
    {
      gradient: ({ xGradient }) => sample(xGradient, grid, attrs),
      // The sum of xGradient · this is that of gradient · the samples of xGradient.
      grid:
        attrs.mode === "nearest"
          ? zeroGradient
          : ({ xGradient }) => gridGradient(xGradient, grid, gradient, attrs),
    },
  ).xGradient;

/** The gradient towards the positions, by that of simpler operations. */
const gridGradient = (x: Tensor, grid: Tensor, gradient: Tensor, attrs: GridSampleAttrs): Tensor =>
  partialGrad(sampleBySteps(x, grid, attrs), [grid], { outputGradient: gradient })[0]!;

/** The same samples, bilinear or bicubic, by simpler operations. */
function sampleBySteps(x: Tensor, grid: Tensor, attrs: GridSampleAttrs): Tensor {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const [, outHeight, outWidth] = grid.shape as [number, number, number, number];
  const positions = [batch, outHeight, outWidth];
  const coordinate = (k: number): Tensor =>
    reshape(slice(grid, [0, 0, 0, k], [batch, outHeight, outWidth, k + 1]), positions);
  const side = (k: number, extent: number): Tap[] => tapsOf(coordinate(k), extent, attrs);
  const [columns, rows] = [side(0, width), side(1, height)];
  const pixels = reshape(x, [batch * height * width, channels]);
  const first = reshape(mul(arange(batch, { dtype: "i32" }), height * width), [batch, 1, 1]);
  const terms = rows.flatMap((row) =>
    columns.map((column) => {
      const pixel = cast(add(mul(row.at, width), column.at), "i32");
      const value = cast(gather(pixels, add(pixel, first)), "f32"); // [N, OH, OW, C]
      const inside = row.inside && column.inside && logicalAnd(row.inside, column.inside);
      const weight = mul(row.weight, column.weight);
      return mul(value, reshape(inside ? where(inside, weight, 0) : weight, [...positions, 1]));
    }),
  );
  return cast(
    terms.reduce((sum, term) => add(sum, term)),
    x.dtype,
  ) as Tensor;
}

/** What a position reads along a side of `extent` pixels. */
function tapsOf(
  coordinate: Tensor,
  extent: number,
  { mode, paddingMode, alignCorners }: GridSampleAttrs,
): Tap[] {
  const scaled = mul(add(coordinate, 1), alignCorners ? (extent - 1) / 2 : extent / 2);
  const position = alignCorners ? scaled : sub(scaled, 0.5);
  const place = (at: Tensor): Tensor => placed(at, extent, paddingMode, alignCorners);
  const tap = (at: Tensor, weight: Tensor): Tap =>
    paddingMode === "zeros"
      ? { at: clip(at, extent), weight, inside: logicalAnd(greaterEqual(at, 0), lessEqual(at, extent - 1)) }
      : { at: clip(at, extent), weight, inside: undefined };
  if (mode === "bilinear") {
    const within = place(position);
    const low = floor(within);
    const t = sub(within, low);
    return [tap(low, sub(1, t)), tap(add(low, 1), t)];
  }
  // The taps of a bicubic position are put back into the image one by one, not the position.
  const low = floor(position);
  const t = sub(position, low);
  const weights = [outer(add(t, 1)), inner(t), inner(sub(1, t)), outer(sub(2, t))];
  return weights.map((weight, k) => tap(place(add(low, k - 1)), weight));
}

/** Cubic convolution with a = −0.75 of distances below 1, and of those from 1 to 2. */
const inner = (d: Tensor): Tensor => add(mul(mul(sub(mul(d, 1.25), 2.25), d), d), 1);
const outer = (d: Tensor): Tensor => add(mul(sub(mul(add(mul(d, -0.75), 3.75), d), 6), d), 3);

const clip = (at: Tensor, extent: number): Tensor => minimum(maximum(at, 0), extent - 1);

/** A position put back into the image, as the padding asks for. */
function placed(
  at: Tensor,
  extent: number,
  paddingMode: GridSampleAttrs["paddingMode"],
  alignCorners: boolean,
): Tensor {
  if (paddingMode === "zeros") return at;
  if (paddingMode === "border") return clip(at, extent);
  const [least, span] = alignCorners ? [0, extent - 1] : [-0.5, extent];
  if (span === 0) return mul(at, 0);
  const distance = abs(sub(at, least));
  const flips = floor(div(distance, span));
  const rest = sub(distance, mul(flips, span));
  const even = equal(sub(flips, mul(floor(div(flips, 2)), 2)), 0);
  return clip(where(even, add(rest, least), sub(span + least, rest)), extent);
}
