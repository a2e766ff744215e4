/** Metrics by their definitions, one threshold or one pair at a time. */
import { findRegions } from "../src/metrics/regions.ts";

/** A small deterministic stream of numbers in [0, 1). */
export function stream(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Random labels and scores; `levels` distinct scores make ties. */
export function sample(seed: number, count: number, levels: number): { labels: number[]; scores: number[] } {
  const next = stream(seed);
  const labels = Array.from({ length: count }, (_, i) => (i < 2 ? i : next() < 0.3 ? 1 : 0));
  const scores = labels.map((label) => Math.round((next() + 0.4 * label) * levels) / levels);
  return { labels, scores };
}

/** The definition: share of pairs in the right order, ties half. */
export function pairwiseAuroc(labels: number[], scores: number[]): number {
  let sum = 0;
  let pairs = 0;
  labels.forEach((a, i) => {
    labels.forEach((b, j) => {
      if (!a || b) return;
      pairs++;
      sum += scores[i]! > scores[j]! ? 1 : scores[i] === scores[j] ? 0.5 : 0;
    });
  });
  return sum / pairs;
}

/** Precision and recall at one threshold, counted one by one. */
export function countAt(
  labels: number[],
  scores: number[],
  threshold: number,
): { precision: number; recall: number } {
  const called = labels.filter((_, i) => scores[i]! >= threshold);
  const hits = called.filter((label) => label === 1).length;
  return { precision: hits / called.length, recall: hits / labels.filter((label) => label === 1).length };
}

export const distinct = (scores: number[]): number[] => [...new Set(scores)].sort((a, b) => b - a);

/** The definition: every distinct score is a threshold; trapezoids, cut at the limit. */
export function curveAupro(maps: number[][], masks: number[][], width: number, limit: number): number {
  const regions = masks.map((mask) => findRegions(mask, width, mask.length / width));
  const total = regions.reduce((sum, { count }) => sum + count, 0);
  const good = masks.flat().filter((value) => value === 0).length;
  const points = distinct(maps.flat()).map((threshold) => {
    let overlap = 0;
    let alarms = 0;
    maps.forEach((map, image) => {
      map.forEach((score, pixel) => {
        if (score < threshold) return;
        const region = regions[image]!.labels[pixel]!;
        if (region === 0) alarms++;
        else overlap += 1 / regions[image]!.sizes[region - 1]!;
      });
    });
    return [alarms / good, overlap / total] as const;
  });
  let area = 0;
  let [x0, y0]: readonly [number, number] = [0, 0];
  for (const [x, y] of points) {
    const end = Math.min(x, limit);
    const atEnd = x > x0 ? y0 + ((y - y0) * (end - x0)) / (x - x0) : y;
    area += ((end - x0) * (y0 + atEnd)) / 2;
    if (x >= limit) break;
    [x0, y0] = [x, y];
  }
  return area / limit;
}
