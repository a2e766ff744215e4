/**
 * Area under the per-region overlap curve, exactly (Bergmann et al., "The MVTec Anomaly Detection Dataset").
 *
 * The curve is PRO, the mean over defect regions of the fraction of their pixels that is found, against the
 * false-positive rate on good pixels, one point for every distinct score. Its area needs no curve: it is a mean over
 * regions and their pixels, and a pixel with g good pixels above it and e good pixels equal to it adds a ramp that
 * rises from 0 at g false positives to 1 at g + e (the straight line between two thresholds) and stays there.
 */
import { findRegions } from "./regions.ts";

/** How far the PRO curve is followed. */
export type AuproOptions = {
  /** False-positive rate up to which the area is taken, in (0, 1]; the area is divided by it. */
  limit: number;
  /** Columns of the maps; without it they are taken as square. */
  width?: number;
};

/**
 * Area under the PRO curve up to a false-positive rate, divided by that rate: 1 is perfect.
 *
 * Regions are 8-connected and weigh the same whatever their size; a mask pixel that is not 0 is defective. The curve
 * starts at (0, 0) and is interpolated linearly at the limit.
 *
 * @param maps one anomaly map per image, `[H · W]`.
 * @param masks its ground truth, `[H · W]`; all zero for a good image.
 * @throws RangeError when sizes do not agree, a score is not a number, or there is no defect or no good pixel.
 */
export function aupro(
  maps: readonly ArrayLike<number>[],
  masks: readonly ArrayLike<number>[],
  { limit, width }: AuproOptions,
): number {
  if (!(limit > 0 && limit <= 1)) throw new RangeError(`aupro: limit must be in (0, 1], but is ${limit}.`);
  const good = sortedGoodScores(maps, masks);
  const budget = limit * good.length;
  let regions = 0;
  let sum = 0;
  masks.forEach((mask, image) => {
    const map = maps[image]!;
    const columns = width ?? Math.sqrt(map.length);
    if (!Number.isInteger(columns) || map.length % columns !== 0) {
      throw new RangeError(
        `aupro: map ${image} with ${map.length} pixels has no rows of ${columns}; give its width.`,
      );
    }
    const { count, labels, sizes } = findRegions(mask, columns, map.length / columns);
    regions += count;
    for (let pixel = 0; pixel < labels.length; pixel++) {
      const region = labels[pixel]!;
      if (region > 0) sum += rampArea(good, map[pixel]!, budget) / sizes[region - 1]!;
    }
  });
  if (regions === 0) throw new RangeError("aupro: no mask has a defect; the metric is undefined.");
  return sum / (regions * budget);
}

/** ∫ from 0 to `budget` false positives of how much the pixel counts as found. */
function rampArea(good: Float32Array | Float64Array, score: number, budget: number): number {
  const above = good.length - firstIndex(good, score, true);
  if (above >= budget) return 0;
  const equal = good.length - firstIndex(good, score, false) - above;
  const room = budget - above;
  return room < equal ? (room * room) / (2 * equal) : room - equal / 2;
}

/** Index of the first value that is at least `score`, or greater than it. */
function firstIndex(sorted: Float32Array | Float64Array, score: number, greater: boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const value = sorted[middle]!;
    if (value < score || (greater && value === score)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function sortedGoodScores(
  maps: readonly ArrayLike<number>[],
  masks: readonly ArrayLike<number>[],
): Float32Array | Float64Array {
  if (maps.length !== masks.length) {
    throw new RangeError(
      `aupro: every map needs a mask, but there are ${maps.length} maps and ${masks.length} masks.`,
    );
  }
  let count = 0;
  maps.forEach((map, image) => {
    const mask = masks[image]!;
    if (map.length !== mask.length) {
      throw new RangeError(`aupro: map ${image} has ${map.length} pixels, but its mask has ${mask.length}.`);
    }
    for (let pixel = 0; pixel < map.length; pixel++) {
      if (Number.isNaN(map[pixel]!))
        throw new RangeError(`aupro: pixel ${pixel} of map ${image} is not a number.`);
      if (!mask[pixel]) count++;
    }
  });
  if (count === 0)
    throw new RangeError("aupro: there is no good pixel; the false-positive rate is undefined.");
  const Floats = maps.every((map) => map instanceof Float32Array) ? Float32Array : Float64Array;
  const good = new Floats(count);
  let at = 0;
  maps.forEach((map, image) => {
    const mask = masks[image]!;
    for (let pixel = 0; pixel < map.length; pixel++) if (!mask[pixel]) good[at++] = map[pixel]!;
  });
  return good.sort();
}
