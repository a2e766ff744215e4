/** The taps of a `gridSample` position along one side of an image, in WGSL and in the reference. */
import { check } from "../errors.ts";
import { repeat } from "../repeat.ts";
import { show, type TensorSpec } from "../spec.ts";

/** Attributes of `gridSample` and its input gradient. */
export interface GridSampleAttrs {
  /** How pixels of x are interpolated. */
  readonly mode: "bilinear" | "nearest" | "bicubic";
  /** What lies outside of the image: zeros, the pixel at the edge, or the image reflected. */
  readonly paddingMode: "zeros" | "border" | "reflection";
  /** Whether −1 and 1 are the centres of the corner pixels; else the edges of the image. */
  readonly alignCorners: boolean;
}

const taps = { nearest: 1, bilinear: 2, bicubic: 4 } as const;

/** Pixels that a position reads along one side. */
export const tapsOf = ({ mode }: GridSampleAttrs): number => taps[mode];

/** Throws ShapeError unless modes are known and grid has positions for images like x. */
export function checkGrid(
  op: string,
  x: TensorSpec["shape"],
  grid: TensorSpec,
  { mode, paddingMode }: GridSampleAttrs,
): void {
  check(Object.hasOwn(taps, mode), op, () => `mode must be bilinear, nearest or bicubic but is ${mode}.`);
  check(
    ["zeros", "border", "reflection"].includes(paddingMode),
    op,
    () => `paddingMode must be zeros, border or reflection but is ${paddingMode}.`,
  );
  check(grid.dtype === "f32", op, () => `grid must be f32 but is ${grid.dtype}; cast it first.`);
  check(
    grid.shape.length === 4 && grid.shape[3] === 2 && grid.shape[0] === x[0],
    op,
    () => `grid must be [${x[0]}, OH, OW, 2] for x ${show(x)} but is ${show(grid.shape)}.`,
  );
  check(x[1]! > 0 && x[2]! > 0, op, () => `x ${show(x)} has no pixels to sample.`);
}

/** The centre or edge at which images are reflected, and the distance to the other. */
const mirrors = (extent: number, alignCorners: boolean): readonly [least: number, span: number] =>
  alignCorners ? [0, extent - 1] : [-0.5, extent];

/** WGSL `struct Taps` of all sides. */
export const tapsStruct = (attrs: GridSampleAttrs): string => {
  const count = tapsOf(attrs);
  return /* wgsl */ `
struct Taps { at: array<u32, ${count}>, weight: array<f32, ${count}>, inside: array<bool, ${count}> }
fn inner(d: f32) -> f32 { return (1.25 * d - 2.25) * d * d + 1.0; }
fn outer(d: f32) -> f32 { return ((-0.75 * d + 3.75) * d - 6.0) * d + 3.0; }`;
};

/** WGSL `fn taps<side>(coordinate: f32) -> Taps` along a side of `extent` pixels. */
export function tapsCode(side: "V" | "H", extent: number, attrs: GridSampleAttrs): string {
  const { mode, paddingMode, alignCorners } = attrs;
  const last = `${extent - 1}.0`;
  const [least, span] = mirrors(extent, alignCorners);
  const scaled = alignCorners
    ? `(coordinate + 1.0) * f32(${(extent - 1) / 2})`
    : `(coordinate + 1.0) * f32(${extent / 2}) - 0.5`;
  const placed = {
    zeros: "return p;",
    border: `return clamp(p, 0.0, ${last});`,
    reflection:
      span === 0
        ? "return 0.0;"
        : `
  let distance = abs(p - f32(${least}));
  let flips = floor(distance / ${span}.0);
  let rest = distance - flips * ${span}.0;
  let even = flips - 2.0 * floor(flips * 0.5) == 0.0;
  return clamp(select(f32(${span + least}) - rest, rest + f32(${least}), even), 0.0, ${last});`,
  }[paddingMode];
  const read = (at: string, weight: string, k: number): string => `
  let p${k} = ${at};
  let inside${k} = p${k} >= 0.0 && p${k} <= ${last};
  taps.at[${k}] = u32(clamp(p${k}, 0.0, ${last}));
  taps.inside[${k}] = inside${k};
  taps.weight[${k}] = select(0.0, ${weight}, inside${k});`;
  const weights = ["outer(1.0 + t)", "inner(t)", "inner(1.0 - t)", "outer(2.0 - t)"];
  const body = {
    nearest: read(`round(placed${side}(position))`, "1.0", 0),
    bilinear: `
  let within = placed${side}(position);
  let low = floor(within);
  let t = within - low;${read("low", "1.0 - t", 0)}${read("low + 1.0", "t", 1)}`,
    // The taps of a bicubic position are put back into the image one by one, not the position.
    bicubic: `
  let low = floor(position);
  let t = position - low;${repeat(4, (k) => read(`placed${side}(low + ${k - 1}.0)`, weights[k]!, k))}`,
  }[mode];
  return /* wgsl */ `
fn placed${side}(p: f32) -> f32 { ${placed} }
fn taps${side}(coordinate: f32) -> Taps {
  let position = ${scaled};
  var taps: Taps;${body}
  return taps;
}`;
}

const inner = (d: number): number => (1.25 * d - 2.25) * d * d + 1;
const outer = (d: number): number => ((-0.75 * d + 3.75) * d - 6) * d + 3;

function placedAt(p: number, extent: number, { paddingMode, alignCorners }: GridSampleAttrs): number {
  const clip = (at: number): number => Math.min(Math.max(at, 0), extent - 1);
  if (paddingMode === "zeros") return p;
  if (paddingMode === "border") return clip(p);
  const [least, span] = mirrors(extent, alignCorners);
  if (span === 0) return 0;
  const distance = Math.abs(p - least);
  const flips = Math.floor(distance / span);
  const rest = distance - flips * span;
  return clip(flips % 2 === 0 ? rest + least : span + least - rest);
}

/** To the nearest whole number, ties to the even one. */
const roundToEven = (x: number): number => {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
};

/** The pixels along one side that a coordinate reads, and their weights; those outside left out. */
function readAlong(coordinate: number, extent: number, attrs: GridSampleAttrs): [number, number][] {
  const position = attrs.alignCorners
    ? ((coordinate + 1) / 2) * (extent - 1)
    : ((coordinate + 1) * extent - 1) / 2;
  const place = (p: number): number => placedAt(p, extent, attrs);
  const all = (): [number, number][] => {
    if (attrs.mode === "nearest") return [[roundToEven(place(position)), 1]];
    if (attrs.mode === "bilinear") {
      const within = place(position);
      const low = Math.floor(within);
      return [
        [low, 1 - (within - low)],
        [low + 1, within - low],
      ];
    }
    const low = Math.floor(position);
    const t = position - low;
    return [outer(1 + t), inner(t), inner(1 - t), outer(2 - t)].map((weight, k) => [
      place(low + k - 1),
      weight,
    ]);
  };
  return all().filter(([at]) => at >= 0 && at < extent);
}

/** Visits what each position reads: flat indices of the pixels in y and in x (channel 0 of each) and the weight. */
export function forEachRead(
  x: TensorSpec["shape"],
  grid: ArrayLike<number>,
  size: readonly [height: number, width: number],
  attrs: GridSampleAttrs,
  visit: (yPixel: number, xPixel: number, weight: number) => void,
): void {
  const [batch, height, width] = x as [number, number, number, number];
  const positions = size[0] * size[1];
  for (let n = 0; n < batch; n++)
    for (let p = 0; p < positions; p++) {
      const at = n * positions + p;
      for (const [h, down] of readAlong(grid[2 * at + 1]!, height, attrs))
        for (const [w, along] of readAlong(grid[2 * at]!, width, attrs))
          visit(at, (n * height + h) * width + w, down * along);
    }
}
