/**
 * The areas under the pixel curves of many weightings of the same images, in one walk down the scores of the defective
 * pixels.
 *
 * Both areas are sums over defective pixels p and images j: a good pixel of image j that scores above p costs, one that
 * scores the same costs half. So they are kept as matrices, a row for every image with a defect and a column for every
 * image, and a weighting (a resample, a kind of defect) that counts image i m_i times is a quadratic form of them:
 *
 *   1 − AUROC  =  Σ_ij m_i m_j C_ij / (defective · good)
 *   AUPRO      =  Σ_p  ∫_0^budget found_p / (regions · budget),  budget = limit · good
 *
 * A pixel with g good pixels above it and e equal to it is found along a ramp from 0 at g false positives to 1 at
 * g + e, so its integral is budget − g − e/2 where the ramp ends before the budget. Only a pixel whose ramp the budget
 * cuts, (budget − g)² / 2e, is treated by itself; all such pixels of a weighting have one score, that weighting's cut.
 */
import { firstAtLeast } from "./scoreKeys.ts";

/** Pixels divided into good and defective, scores as keys. */
export type SortedPixels = {
  /** For every image the keys of its good pixels, rising. */
  readonly good: readonly Uint32Array[];
  /** Keys of all defective pixels, rising, and the region of each. */
  readonly defective: { readonly keys: Uint32Array; readonly regions: Uint32Array };
  /** For every region its image and its pixels. */
  readonly regions: readonly { readonly image: number; readonly size: number }[];
};

/** How often every image counts, in the order they were added. */
export type ImageCounts = ArrayLike<number>;

/** The areas under the pixel curves, in [0, 1]. */
export type PixelAreas = {
  auroc: number;
  /** One for every limit. */
  aupro: number[];
};

/** Called for every distinct score of a defective pixel, falling: its key, and the pixels of all images at least as high. */
export type VisitScore = (key: number, truePositives: number, falsePositives: number) => void;

/** Where the area under one weighting's PRO curve ends: the score at which its false positives reach the budget. */
type Cut = { key: number; weighting: number; limit: number; budget: number; above: number; equal: number };

/**
 * @param limits false-positive rates for AUPRO, in (0, 1].
 * @returns the areas of every weighting, undefined where it has no defective or no good pixel.
 */
export function sweepPixels(
  { good, defective, regions }: SortedPixels,
  weightings: readonly ImageCounts[],
  limits: readonly number[],
  visit: VisitScore,
): (PixelAreas | undefined)[] {
  const images = good.length;
  const rowImages = [...new Set(regions.map(({ image }) => image))];
  const rowOf = new Map(rowImages.map((image, row) => [image, row]));
  const regionRow = Uint32Array.from(regions, ({ image }) => rowOf.get(image)!);
  const regionWeight = Float64Array.from(regions, ({ size }) => 1 / size);
  const rowRegions = new Float64Array(rowImages.length);
  const rowPixels = new Float64Array(rowImages.length);
  regions.forEach(({ size }, region) => {
    rowRegions[regionRow[region]!]! += 1;
    rowPixels[regionRow[region]!]! += size;
  });
  const overRows = (counts: ImageCounts, values: Float64Array): number =>
    rowImages.reduce((sum, image, row) => sum + counts[image]! * values[row]!, 0);
  const form = (counts: ImageCounts, matrix: Float64Array): number => {
    let sum = 0;
    for (const [row, image] of rowImages.entries()) {
      const count = counts[image]!;
      if (count === 0) continue;
      for (let j = 0; j < images; j++) sum += count * counts[j]! * matrix[row * images + j]!;
    }
    return sum;
  };

  const areas = weightings.map((counts) => {
    const goodPixels = good.reduce((sum, keys, j) => sum + counts[j]! * keys.length, 0);
    if (goodPixels === 0 || overRows(counts, rowPixels) === 0) return undefined;
    return { goodPixels, auroc: 0, aupro: limits.map(() => 0) };
  });
  const cuts = areas.flatMap((area, weighting) =>
    area === undefined
      ? []
      : limits.map((limit, index): Cut => {
          const budget = limit * area.goodPixels;
          return { ...findCut(good, weightings[weighting]!, budget), weighting, limit: index, budget };
        }),
  );
  cuts.sort((a, b) => a.key - b.key);

  // For row and column: the good pixels above each defective one, summed plainly and by the weight in its region.
  const plain = new Float64Array(rowImages.length * images);
  const weighted = new Float64Array(rowImages.length * images);
  const found = new Float64Array(rowImages.length); // the weight of the defective pixels passed
  const below = Uint32Array.from(good, (keys) => keys.length); // good pixels not passed
  const next = Float64Array.from(good, (keys) => keys.at(-1) ?? -1); // the highest key of those
  const rank = new Float64Array(images); // good pixels above, those equal counted half
  let falsePositives = 0;

  const settle = ({ weighting, limit, budget, above, equal }: Cut, tied: Float64Array | undefined): void => {
    const counts = weightings[weighting]!;
    const ramp = tied === undefined ? 0 : overRows(counts, tied) * ((budget - above) ** 2 / (2 * equal));
    const area = budget * overRows(counts, found) - form(counts, weighted) + ramp;
    areas[weighting]!.aupro[limit] = area / (overRows(counts, rowRegions) * budget);
  };

  const { keys } = defective;
  for (let end = keys.length; end > 0; ) {
    const key = keys[end - 1]!;
    let start = end - 1;
    while (start > 0 && keys[start - 1] === key) start--;

    let anyEqual = false;
    for (let j = 0; j < images; j++) {
      if (next[j]! < key) continue;
      const list = good[j]!;
      let i = below[j]!;
      while (i > 0 && list[i - 1]! > key) i--;
      const above = list.length - i;
      while (i > 0 && list[i - 1] === key) i--;
      rank[j] = (above + list.length - i) / 2;
      anyEqual ||= rank[j] !== above;
      falsePositives += below[j]! - i;
      below[j] = i;
      next[j] = i > 0 ? list[i - 1]! : -1;
    }

    while (cuts.length > 0 && cuts.at(-1)!.key > key) settle(cuts.pop()!, undefined);
    if (cuts.at(-1)?.key === key) {
      const tied = new Float64Array(rowImages.length);
      for (let p = start; p < end; p++) {
        const region = defective.regions[p]!;
        tied[regionRow[region]!]! += regionWeight[region]!;
      }
      while (cuts.at(-1)?.key === key) settle(cuts.pop()!, tied);
    }

    for (let p = start; p < end; p++) {
      const region = defective.regions[p]!;
      const row = regionRow[region]!;
      const weight = regionWeight[region]!;
      found[row]! += weight;
      addRanks(plain, weighted, rank, row * images, weight);
    }
    if (anyEqual) for (let j = 0; j < images; j++) rank[j] = good[j]!.length - below[j]!;
    visit(key, keys.length - start, falsePositives);
    end = start;
  }
  while (cuts.length > 0) settle(cuts.pop()!, undefined);

  return areas.map((area, weighting) => {
    if (area === undefined) return undefined;
    const counts = weightings[weighting]!;
    const pairs = overRows(counts, rowPixels) * area.goodPixels;
    return { auroc: 1 - form(counts, plain) / pairs, aupro: area.aupro };
  });
}

/** The innermost loop, by itself so that the compiler sees all of it. */
function addRanks(
  plain: Float64Array,
  weighted: Float64Array,
  rank: Float64Array,
  start: number,
  weight: number,
): void {
  for (let j = 0; j < rank.length; j++) {
    const value = rank[j]!;
    plain[start + j]! += value;
    weighted[start + j]! += weight * value;
  }
}

/** The highest key at which as many good pixels as the budget are at least as high, by bisection over all keys. */
function findCut(
  good: readonly Uint32Array[],
  counts: ImageCounts,
  budget: number,
): { key: number; above: number; equal: number } {
  let [low, high] = [0, 2 ** 32 - 1];
  let from = new Uint32Array(good.length);
  let to = Uint32Array.from(good, (keys) => keys.length);
  let middle = new Uint32Array(good.length);
  let above = 0; // pixels at least as high as high + 1
  let atLeast = good.reduce((sum, keys, j) => sum + counts[j]! * keys.length, 0); // … as low
  while (low < high) {
    const key = Math.floor((low + high + 1) / 2);
    let reached = 0;
    for (let j = 0; j < good.length; j++) {
      if (counts[j] === 0) continue;
      middle[j] = firstAtLeast(good[j]!, key, from[j]!, to[j]!);
      reached += counts[j]! * (good[j]!.length - middle[j]!);
    }
    if (reached >= budget) {
      low = key;
      atLeast = reached;
      [from, middle] = [middle, from];
    } else {
      high = key - 1;
      above = reached;
      [to, middle] = [middle, to];
    }
  }
  return { key: low, above, equal: atLeast - above };
}
