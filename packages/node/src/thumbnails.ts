/** Small images of inspections for the list of a report, bounded in number and bytes. */
import { readFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import {
  createImage,
  fairCounts,
  type Image,
  imageFormat,
  nearestToThreshold,
  resizeBilinear,
  type StoredScores,
  toRgb,
} from "@ddad/ddad/internal";
import { decodePng, encodePng } from "./images/png.ts";

/** Side of a tile, in pixels. */
const side = 56;

/** Bytes of all thumbnails of a page together. */
const bytesLimit = 4 * 2 ** 20;

/** What is needed of a run. */
export type ThumbnailSource = {
  readonly scores: StoredScores | undefined;
  readonly threshold: number;
  /** The tile of a row that shows the map, from 0. */
  readonly mapTile: number;
  /** The file of an image's inspection. */
  readonly pathOf: (id: string) => string | undefined;
};

/**
 * Thumbnails of each run as data URLs by the images' ids: of those nearest to the threshold, at most `limit` in all.
 *
 * @throws the reason of the signal, looked at before every image
 */
export async function thumbnailsOf(
  runs: readonly ThumbnailSource[],
  limit: number,
  signal?: AbortSignal,
): Promise<Map<string, string>[]> {
  const counts = fairCounts(
    runs.map(({ scores }) => scores?.scores.length ?? 0),
    limit,
  );
  let bytes = 0;
  const all: Map<string, string>[] = [];
  for (const [i, { scores, threshold, pathOf, mapTile }] of runs.entries()) {
    const found = new Map<string, string>();
    for (const { id } of nearestToThreshold(scores?.scores ?? [], threshold, counts[i]!)) {
      const path = pathOf(id);
      if (path === undefined || bytes >= bytesLimit) continue;
      await setImmediate(); // or signals such as Ctrl-C would wait for the last image
      signal?.throwIfAborted();
      const url = thumbnail(path, mapTile);
      if (url === undefined) continue;
      bytes += url.length;
      found.set(id, url);
    }
    all.push(found);
  }
  return all;
}

function thumbnail(path: string, mapTile: number): string | undefined {
  const bytes = readFileSync(path);
  if (imageFormat(bytes) !== "PNG") return undefined;
  let panel: Image;
  try {
    panel = toRgb(decodePng(bytes));
  } catch {
    // An image that cannot be read is missing from the list; its score is not.
    return undefined;
  }
  const small = withFewColors(tilesOf(panel, [0, mapTile]) ?? fitted(panel));
  return `data:image/png;base64,${Buffer.from(encodePng(small)).toString("base64")}`;
}

/** Tiles of the last row of a panel, as `composePanel` lays it out in a row; undefined where an image is no panel. */
function tilesOf(panel: Image, columns: readonly number[]): Image | undefined {
  const [tile, gap] = [192, 8];
  const count = (panel.width - gap) / (tile + gap);
  if (!Number.isInteger(count) || panel.height < tile + 2 * gap || Math.max(...columns) >= count)
    return undefined;
  const top = panel.height - gap - tile;
  const row = createImage(columns.length * side, side, 3);
  for (const [place, column] of columns.entries()) {
    const part = resizeBilinear(crop(panel, gap + column * (tile + gap), top, tile), side, side);
    paste(row, part, place * side);
  }
  return row;
}

/** An image that is no panel, in the same place. */
function fitted(image: Image): Image {
  const scale = Math.min((2 * side) / image.width, side / image.height, 1);
  const scaled = (length: number): number => Math.max(1, Math.round(length * scale));
  return resizeBilinear(image, scaled(image.width), scaled(image.height));
}

function crop({ width, data }: Image, left: number, top: number, length: number): Image {
  const part = createImage(length, length, 3);
  for (let y = 0; y < length; y++) {
    const from = ((top + y) * width + left) * 3;
    part.data.set(data.subarray(from, from + length * 3), y * length * 3);
  }
  return part;
}

function paste(target: Image, source: Image, left: number): void {
  for (let y = 0; y < source.height; y++) {
    const row = source.data.subarray(y * source.width * 3, (y + 1) * source.width * 3);
    target.data.set(row, (y * target.width + left) * 3);
  }
}

/** With 32 levels a channel, which makes the PNG smaller and is not seen at this size. */
function withFewColors(image: Image): Image {
  const few = createImage(image.width, image.height, 3);
  few.data.set(image.data.map((value) => (value & 0xf8) | (value >> 5)));
  return few;
}
