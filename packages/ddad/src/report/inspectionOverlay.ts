/**
 * What was found in an image, drawn for people: the image in its own colours and shape, heat only where the score is high,
 * contours and boxes of what is defective, and a bar below that says what was decided and why.
 */
import { cropRange } from "../detection/distance.ts";
import type { Decision } from "../detection/verdict.ts";
import { type Color, createImage, type Image, toRgb } from "../images/image.ts";
import { resizeBilinear } from "../images/resize.ts";
import { heatColor } from "./colorMap.ts";
import { drawContour } from "./contour.ts";
import type { DefectRegion } from "./defectRegions.ts";
import { drawText, fontHeight, wrapText } from "./font.ts";
import { type ScoreRange, scaledScore } from "./overlay.ts";

/** What an overlay shows of an inspection. */
export type InspectionOverlay = {
  /** Anomaly map `[mapSize · mapSize]`. */
  readonly map: Float32Array;
  readonly mapSize: number;
  /** Side to which the image was resized for the network; the map shows the middle of it. */
  readonly size: number;
  /** `[mapSize · mapSize]`, 1 where defective. */
  readonly marked: Uint8Array;
  /** Boxes in pixels of the image as it was given. */
  readonly regions: readonly DefectRegion[];
  /** Size of the image as it was given; that of `image` without it. */
  readonly width?: number;
  readonly height?: number;
  /** Scores shown as the lowest and the highest colour. */
  readonly range: ScoreRange;
  /** Null where nothing was decided. */
  readonly decision: Decision | null;
  /** The sentence in the bar. */
  readonly caption: string;
};

/** Images whose long side is smaller are enlarged by whole pixels to at least `readable`, so that lines and text can be read. */
const small = 256;
const readable = 512;

/** Colours of the bar and its text. */
const bars: { readonly [decision in Decision | "none"]: { readonly bar: Color; readonly ink: Color } } = {
  good: { bar: [22, 101, 52], ink: [255, 255, 255] },
  defective: { bar: [176, 24, 32], ink: [255, 255, 255] },
  unlike: { bar: [250, 190, 40], ink: [20, 20, 20] },
  none: { bar: [55, 60, 68], ink: [255, 255, 255] },
};

const black: Color = [0, 0, 0];
const boxColor: Color = [255, 64, 64];

/**
 * Draws an inspection over its image.
 *
 * @param image as it was given, or smaller; an image whose long side is below 256 pixels is enlarged by a whole factor.
 * @returns RGB, as wide as the image, higher by the bar.
 */
export function drawInspection(image: Image, overlay: InspectionOverlay): Image {
  const { decision, caption, map, range } = overlay;
  const shown = enlarged(image);
  const { width, height } = shown;
  const long = Math.max(width, height);
  const line = Math.max(1, Math.round(long / 500));
  const { bar, ink } = bars[decision ?? "none"];
  const scale = Math.max(1, Math.round(long / 300));
  const lines = wrapText(caption, Math.floor((width - 4 * scale) / scale));
  const lineHeight = (fontHeight + 2) * scale;
  const result = createImage(width, height + lines.length * lineHeight + 4 * scale, 3, bar);
  result.data.set(toRgb(shown).data);
  lines.forEach((text, i) => {
    drawText(result, text, 3 * scale, height + 3 * scale + i * lineHeight, scale, ink);
  });
  if (decision === "unlike") return result;

  const place = placeMap(overlay, width, height);
  const frame = { ...result, height, data: result.data.subarray(0, width * height * 3) };
  blendHeat(frame, place(map), range);
  if (overlay.marked.includes(1)) {
    const inside = Uint8Array.from(place(overlay.marked), (value) => Number(value >= 0.5));
    drawContour(frame, inside, line);
  }
  const factor = { x: width / (overlay.width ?? image.width), y: height / (overlay.height ?? image.height) };
  for (const { box } of overlay.regions) {
    const margin = 3 * line;
    const left = Math.round(box.x * factor.x) - margin;
    const top = Math.round(box.y * factor.y) - margin;
    const right = Math.round((box.x + box.width) * factor.x) + margin;
    const bottom = Math.round((box.y + box.height) * factor.y) + margin;
    drawBox(frame, left, top, right, bottom, line);
  }
  return result;
}

function enlarged(image: Image): Image {
  const long = Math.max(image.width, image.height);
  const factor = Math.ceil(readable / long);
  return long >= small ? image : resizeBilinear(image, image.width * factor, image.height * factor);
}

/** Values of a map at every pixel of the image, bilinear; NaN where the map does not reach. */
function placeMap(
  { mapSize, size }: InspectionOverlay,
  width: number,
  height: number,
): (map: ArrayLike<number>) => Float32Array {
  const { start, before } = cropRange(size, mapSize);
  const axis = (extent: number) =>
    Array.from({ length: extent }, (_, i) => {
      const position = ((i + 0.5) * size) / extent - 0.5 - start + before;
      const clamped = Math.min(Math.max(position, 0), mapSize - 1);
      const low = Math.min(Math.floor(clamped), Math.max(mapSize - 2, 0));
      const outside = position < -0.5 || position > mapSize - 0.5;
      return { low, high: Math.min(low + 1, mapSize - 1), part: clamped - low, outside };
    });
  const [columns, rows] = [axis(width), axis(height)];
  return (map) => {
    const values = new Float32Array(width * height);
    for (const [y, row] of rows.entries()) {
      const [above, below] = [row.low * mapSize, row.high * mapSize];
      for (const [x, column] of columns.entries()) {
        const top = map[above + column.low]! * (1 - column.part) + map[above + column.high]! * column.part;
        const bottom = map[below + column.low]! * (1 - column.part) + map[below + column.high]! * column.part;
        values[y * width + x] =
          row.outside || column.outside ? Number.NaN : top * (1 - row.part) + bottom * row.part;
      }
    }
    return values;
  };
}

/** Scores below the middle of the range, where the threshold lies, leave the image as it is; the highest cover half of it. */
function blendHeat(image: Image, values: Float32Array, range: ScoreRange): void {
  const { data } = image;
  for (let i = 0; i < values.length; i++) {
    const score = scaledScore(values[i]!, range);
    if (!(score > 0.45)) continue;
    const t = Math.min((score - 0.45) / 0.3, 1);
    const cover = 0.5 * t * t * (3 - 2 * t);
    const color = heatColor(score);
    for (let c = 0; c < 3; c++) {
      data[i * 3 + c] = Math.round(data[i * 3 + c]! * (1 - cover) + color[c]! * cover);
    }
  }
}

/** A red rectangle of a line's width outside these bounds, with a thin black edge. */
function drawBox(image: Image, left: number, top: number, right: number, bottom: number, line: number): void {
  const edge = Math.ceil(line / 2);
  const { width, height, data } = image;
  const reach = line + edge;
  const paint = (x: number, y: number): void => {
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    const outside = Math.max(left - x, top - y, x - right + 1, y - bottom + 1);
    if (outside >= 1) data.set(outside <= line ? boxColor : black, (y * width + x) * 3);
  };
  for (let y = top - reach; y < bottom + reach; y++) {
    if (y < 0 || y >= height) continue;
    const whole = y < top || y >= bottom;
    for (let x = left - reach; x < (whole ? right + reach : left); x++) paint(x, y);
    if (!whole) for (let x = right; x < right + reach; x++) paint(x, y);
  }
}
