/** Anomaly maps as images. The scale is the caller's: scaled to its own maximum, even a flawless part glows. */
import { type Color, type Image, toRgb } from "../images/image.ts";
import { heatColor } from "./colorMap.ts";

/** Scores shown as the lowest and the highest colour. */
export type ScoreRange = { from: number; to: number };

/** A map `[H · W]` in the colours of its scores. */
export function heatMap(map: ArrayLike<number>, width: number, height: number, range: ScoreRange): Image {
  checkLength("heatMap", map, width, height);
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) data.set(heatColor(scaledScore(map[i]!, range)), i * 3);
  return { width, height, channels: 3, data };
}

/**
 * The image, gray, under its anomaly map: the higher the score the more the colour covers, so that what is in
 * order stays to be seen.
 *
 * @param map `[H · W]`, of the image's size.
 */
export function overlayHeat(image: Image, map: ArrayLike<number>, range: ScoreRange): Image {
  const { width, height } = image;
  checkLength("overlayHeat", map, width, height);
  const { data: source } = toRgb(image);
  const data = new Uint8Array(source.length);
  for (let i = 0; i < width * height; i++) {
    const score = scaledScore(map[i]!, range);
    const cover = 0.25 + 0.6 * score;
    const gray = 0.299 * source[i * 3]! + 0.587 * source[i * 3 + 1]! + 0.114 * source[i * 3 + 2]!;
    const color = heatColor(score);
    for (let c = 0; c < 3; c++) data[i * 3 + c] = Math.round(gray * (1 - cover) + color[c]! * cover);
  }
  return { width, height, channels: 3, data };
}

/** The image with the border of a mask's regions drawn on their outermost pixels. */
export function outlineMask(image: Image, mask: ArrayLike<number>, color: Color): Image {
  const { width, height } = image;
  checkLength("outlineMask", mask, width, height);
  const data = Uint8Array.from(toRgb(image).data);
  const inside = (x: number, y: number): boolean =>
    x >= 0 && y >= 0 && x < width && y < height && Boolean(mask[y * width + x]);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const surrounded = inside(x - 1, y) && inside(x + 1, y) && inside(x, y - 1) && inside(x, y + 1);
      if (inside(x, y) && !surrounded) data.set(color, (y * width + x) * 3);
    }
  }
  return { width, height, channels: 3, data };
}

/** Where a score lies in a range, 0 … 1. */
export const scaledScore = (score: number, { from, to }: ScoreRange): number =>
  to > from ? Math.min(Math.max((score - from) / (to - from), 0), 1) : Number(score > from);

function checkLength(name: string, values: ArrayLike<number>, width: number, height: number): void {
  if (values.length === width * height) return;
  throw new RangeError(
    `${name}: the image has ${width}×${height} pixels, but ${values.length} values were given.`,
  );
}
