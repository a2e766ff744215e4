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
  { threshold, ...place }: DefectRegionsOptions,
): DefectRegion[] {
  return regionsOfMask(
    map,
    Uint8Array.from(map, (value) => Number(value >= threshold)),
    place,
  );
}

/** The 8-connected regions of marked pixels of a map, highest score first. */
export function regionsOfMask(
  map: Float32Array,
  marked: Uint8Array,
  { mapSize, size, width, height }: Omit<DefectRegionsOptions, "threshold">,
): DefectRegion[] {
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
  /** A span of the map in the image: at least one pixel, where the image is smaller than the map. */
  const span = (first: number, last: number, along: "x" | "y", limit: number): [number, number] => {
    const at = (position: number): number =>
      Math.min(Math.max(Math.round((position + start - before) * scale[along]), 0), limit);
    const from = Math.min(at(first), limit - 1);
    return [from, Math.max(at(last + 1) - from, 1)];
  };
  const regions = bounds.map(({ left, top, right, bottom, score }, k): DefectRegion => {
    const [x, boxWidth] = span(left, right, "x", width);
    const [y, boxHeight] = span(top, bottom, "y", height);
    const area = Math.max(Math.round(sizes[k]! * scale.x * scale.y), 1);
    return { box: { x, y, width: boxWidth, height: boxHeight }, area, score };
  });
  return regions.sort((a, b) => b.score - a.score);
}
