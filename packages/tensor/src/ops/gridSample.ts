/** Sampling of images at positions that are computed: a composition, so that positions and images have derivatives of any order. */
import { ShapeError, show } from "@ddad/kernels-wgsl";
import { arange } from "../create.ts";
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
  round,
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
  /** Undefined for all of it. */
  readonly weight: Tensor | undefined;
  /** Undefined where all are inside. */
  readonly inside: Tensor<"bool"> | undefined;
}

/**
 * Pixels of x [N, H, W, C] at the positions of grid [N, OH, OW, 2] → [N, OH, OW, C]: PyTorch's `grid_sample`. A position is (x, y): across
 * from −1 on the left to 1 on the right, and down from −1 at the top to 1 at the bottom. The grid is f32. Throws ShapeError where the
 * shapes do not fit together.
 */
export function gridSample(x: Tensor, grid: Tensor, options: GridSampleOptions = {}): Tensor {
  const { mode = "bilinear", paddingMode = "zeros", alignCorners = false } = options;
  checkShapes(x, grid);
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const [, outHeight, outWidth] = grid.shape as [number, number, number, number];
  const positions = [batch, outHeight, outWidth];
  const coordinate = (k: number): Tensor =>
    reshape(slice(grid, [0, 0, 0, k], [batch, outHeight, outWidth, k + 1]), positions);
  const side = (k: number, extent: number): Tap[] =>
    tapsOf(coordinate(k), extent, { mode, paddingMode, alignCorners });
  const [columns, rows] = [side(0, width), side(1, height)];
  const pixels = reshape(x, [batch * height * width, channels]);
  const first = reshape(mul(arange(batch, { dtype: "i32" }), height * width), [batch, 1, 1]);
  const terms = rows.flatMap((row) =>
    columns.map((column) => {
      const pixel = cast(add(mul(row.at, width), column.at), "i32");
      const value = cast(gather(pixels, add(pixel, first)), "f32"); // [N, OH, OW, C]
      const inside = both(row.inside, column.inside);
      const weight = product(row.weight, column.weight);
      const counted = weight && inside ? where(inside, weight, 0) : weight;
      if (counted) return mul(value, reshape(counted, [...positions, 1]));
      return inside ? where(reshape(inside, [...positions, 1]), value, 0) : value;
    }),
  );
  return cast(
    terms.reduce((sum, term) => add(sum, term)),
    x.dtype,
  ) as Tensor;
}

function checkShapes(x: Tensor, grid: Tensor): void {
  const op = "gridSample";
  if (x.shape.length !== 4) throw new ShapeError(`${op}: x must have 4 axes but is ${show(x.shape)}.`);
  if (grid.dtype !== "f32")
    throw new ShapeError(`${op}: grid must be f32 but is ${grid.dtype}; cast it first.`);
  if (grid.shape.length !== 4 || grid.shape[3] !== 2 || grid.shape[0] !== x.shape[0]) {
    throw new ShapeError(
      `${op}: grid must be [${x.shape[0]}, OH, OW, 2] for x ${show(x.shape)} but is ${show(grid.shape)}.`,
    );
  }
  if (x.shape[1] === 0 || x.shape[2] === 0)
    throw new ShapeError(`${op}: x ${show(x.shape)} has no pixels to sample.`);
}

const both = (a: Tensor<"bool"> | undefined, b: Tensor<"bool"> | undefined): Tensor<"bool"> | undefined =>
  a && b ? logicalAnd(a, b) : (a ?? b);
const product = (a: Tensor | undefined, b: Tensor | undefined): Tensor | undefined =>
  a && b ? mul(a, b) : (a ?? b);

/** What a position reads along a side of `extent` pixels. */
function tapsOf(
  coordinate: Tensor,
  extent: number,
  { mode, paddingMode, alignCorners }: Required<GridSampleOptions>,
): Tap[] {
  const scaled = mul(add(coordinate, 1), alignCorners ? (extent - 1) / 2 : extent / 2);
  const position = alignCorners ? scaled : sub(scaled, 0.5);
  const place = (at: Tensor): Tensor => placed(at, extent, paddingMode, alignCorners);
  const tap = (at: Tensor, weight?: Tensor): Tap =>
    paddingMode === "zeros"
      ? { at: clip(at, extent), weight, inside: logicalAnd(greaterEqual(at, 0), lessEqual(at, extent - 1)) }
      : { at: clip(at, extent), weight, inside: undefined };
  if (mode === "nearest") return [tap(round(place(position)))];
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
  paddingMode: Required<GridSampleOptions>["paddingMode"],
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
