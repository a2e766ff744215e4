/** Where a map says that defects are. */
import { cropRange } from "../detection/distance.ts";
import { findRegions } from "../metrics/regions.ts";

/** A connected part of an image that is marked as defective, in pixels of the image as it was given. */
export type DefectRegion = {
  /** Smallest upright rectangle around it; `x` and `y` are its left and top edge. */
  readonly box: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
  readonly area: number;
  /** Largest value of the map in it. */
  readonly score: number;
};

/** How the pixels of a map lie in the image as it was given, and which of them are marked. */
export type DefectRegionsOptions = {
  /** Side of the map. */
  readonly mapSize: number;
  /** Side to which the image was resized; the map shows the middle of it. */
  readonly size: number;
  /** Of the image as it was given. */
  readonly width: number;
  readonly height: number;
  /** Value from which on a pixel is marked. */
  readonly threshold: number;
};

/** The 8-connected regions whose values reach the threshold, highest score first. */
export function defectRegions(
  map: Float32Array,
  { mapSize, size, width, height, threshold }: DefectRegionsOptions,
): DefectRegion[] {
  const marked = Uint8Array.from(map, (value) => Number(value >= threshold));
  const { count, labels, sizes } = findRegions(marked, mapSize, mapSize);
  const bounds = Array.from({ length: count }, () => ({
    ...{ left: Infinity, top: Infinity, right: -1, bottom: -1, score: -Infinity },
  }));
  labels.forEach((label, i) => {
    if (label === 0) return;
    const region = bounds[label - 1]!;
    const [x, y] = [i % mapSize, Math.floor(i / mapSize)];
    region.left = Math.min(region.left, x);
    region.right = Math.max(region.right, x);
    region.top = Math.min(region.top, y);
    region.bottom = Math.max(region.bottom, y);
    region.score = Math.max(region.score, map[i]!);
  });
  const { start, before } = cropRange(size, mapSize);
  const scale = { x: width / size, y: height / size };
  const place = (position: number, along: "x" | "y", limit: number): number =>
    Math.min(Math.max(Math.round((position + start - before) * scale[along]), 0), limit);
  const regions = bounds.map(({ left, top, right, bottom, score }, k): DefectRegion => {
    const [x, y] = [place(left, "x", width), place(top, "y", height)];
    const box = { x, y, width: place(right + 1, "x", width) - x, height: place(bottom + 1, "y", height) - y };
    return { box, area: Math.round(sizes[k]! * scale.x * scale.y), score };
  });
  return regions.sort((a, b) => b.score - a.score);
}
