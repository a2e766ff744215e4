/**
 * The metrics as the published code of DDAD computes them, for results that are to be compared with published ones.
 *
 * Its masks are resized with antialiasing, so pixels at the border of a defect are defective in part, and three places
 * decide differently what such a pixel is: AUROC calls it defective, PRO's regions leave it out, PRO's false positives
 * count it as good. PRO's 200 thresholds are evenly spaced between the lowest and the highest score of the test set,
 * so that PRO, unlike `aupro`, changes when the scores are rescaled.
 */
import { type Labels, rocCurve, type Scores } from "./curves.ts";
import { PixelMetrics } from "./pixelMetrics.ts";
import { findRegions } from "./regions.ts";
import { keyOfScore, scoreOfKey } from "./scoreKeys.ts";

const thresholds = 200;
const largestRate = 0.3;

/**
 * The threshold picked on the test set itself: the highest score at which the true-positive rate exceeds the
 * false-positive rate most. Where no score has such an excess it is 1 above the highest score, and nothing is found.
 *
 * @throws RangeError as `auroc`.
 */
export function youdenThreshold(labels: Labels, scores: Scores): number {
  const points = rocCurve(labels, scores);
  const gain = points.map(({ truePositiveRate, falsePositiveRate }) => truePositiveRate - falsePositiveRate);
  const best = gain.indexOf(Math.max(...gain));
  return best === 0 ? points[1]!.threshold + 1 : points[best]!.threshold;
}

/** A point of the published PRO curve; overlap is the mean over the regions, in [0, 1] as is the rate. */
export type ProPoint = { threshold: number; overlap: number; falsePositiveRate: number };

/** PRO as the published code computes it. */
export type PublishedPro = {
  /** Area under the curve below a false-positive rate of 0.3, divided by the largest such rate there is. */
  pro: number;
  /** Regions it counts: 8-connected pixels that are defective entirely. */
  regions: number;
  /** The whole curve, thresholds (of scores scaled to 0 … 1) rising. */
  curve: ProPoint[];
};

/** Collects maps and masks like `PixelMetrics`, which it holds for what is exact. */
export class PublishedPixelMetrics {
  /** Exact metrics under the published rule for masks: what is defective in part is defective. */
  readonly exact = new PixelMetrics();
  /** Pixels that are not entirely good: their scores, and their regions from 1, 0 where defective in part. */
  readonly #touched: { scores: Float32Array; regions: Uint32Array }[] = [];
  /** Pixels of every region. */
  readonly #sizes: number[] = [];
  #good = 0;
  #lowest = Infinity;
  #highest = -Infinity;

  /**
   * Adds an image.
   *
   * @param map anomaly scores `[H · W]`.
   * @param coverage ground truth `[H · W]` as the published code's resize leaves it: from 0, good, to 1, defective.
   * @param width columns of both; without it they are taken as square.
   * @throws RangeError as `PixelMetrics.add`, or when a coverage is not in [0, 1].
   */
  add(map: Float32Array, coverage: ArrayLike<number>, width = Math.sqrt(map.length)): void {
    let touched = 0;
    let defective = 0;
    for (let pixel = 0; pixel < coverage.length; pixel++) {
      const fraction = coverage[pixel]!;
      if (!(fraction >= 0 && fraction <= 1)) {
        throw new RangeError(
          `PublishedPixelMetrics: a mask must be in [0, 1], but pixel ${pixel} is ${fraction}; divide bytes by 255.`,
        );
      }
      if (fraction > 0) touched++;
      defective += fraction;
    }
    this.exact.add(map, coverage, width);
    this.#good += map.length - defective;
    for (let pixel = 0; pixel < map.length; pixel++) {
      if (map[pixel]! < this.#lowest) this.#lowest = map[pixel]!;
      if (map[pixel]! > this.#highest) this.#highest = map[pixel]!;
    }
    if (touched === 0) return;
    const entire = new Uint8Array(map.length);
    for (let pixel = 0; pixel < map.length; pixel++) entire[pixel] = coverage[pixel] === 1 ? 1 : 0;
    const { labels, sizes } = findRegions(entire, width, map.length / width);
    const scores = new Float32Array(touched);
    const regions = new Uint32Array(touched);
    let at = 0;
    for (let pixel = 0; pixel < map.length; pixel++) {
      if (coverage[pixel] === 0) continue;
      scores[at] = map[pixel]!;
      regions[at++] = labels[pixel] === 0 ? 0 : this.#sizes.length + labels[pixel]!;
    }
    for (const size of sizes) this.#sizes.push(size);
    this.#touched.push({ scores, regions });
  }

  /**
   * PRO of all images added so far.
   *
   * @throws RangeError when no pixel is entirely defective, none is good, all scores are the same, or fewer than two
   *   points of the curve lie below the limit.
   */
  pro(): PublishedPro {
    if (this.#sizes.length === 0) {
      throw new RangeError(
        "published PRO: no pixel is entirely defective, so there is no region to be found; the metric is undefined.",
      );
    }
    if (this.#good === 0) {
      throw new RangeError("published PRO: there is no good pixel; the false-positive rate is undefined.");
    }
    if (!(this.#highest > this.#lowest && Number.isFinite(Math.fround(this.#highest - this.#lowest)))) {
      throw new RangeError(
        `published PRO: scores are scaled by their range, but lie from ${this.#lowest} to ${this.#highest}; the metric is undefined.`,
      );
    }
    const bounds = Float32Array.from({ length: thresholds }, (_, i) => this.#lowestAbove(i / thresholds));
    // By the number of thresholds that a pixel exceeds.
    const overlaps = new Float64Array(thresholds + 1);
    const alarms = new Float64Array(thresholds + 1);
    for (const { scores, regions } of this.#touched) {
      for (let pixel = 0; pixel < scores.length; pixel++) {
        const region = regions[pixel]!;
        const exceeded = countUpTo(bounds, scores[pixel]!);
        if (region === 0) alarms[exceeded]! += 1;
        else overlaps[exceeded]! += 1 / this.#sizes[region - 1]!;
      }
    }
    const curve: ProPoint[] = [];
    let overlap = 0;
    let partly = 0;
    for (let i = thresholds - 1; i >= 0; i--) {
      overlap += overlaps[i + 1]!;
      partly += alarms[i + 1]!;
      curve.unshift({
        threshold: i / thresholds,
        overlap: overlap / this.#sizes.length,
        falsePositiveRate: (partly + this.exact.falsePositives(bounds[i]!)) / this.#good,
      });
    }
    return { pro: areaBelow(curve), regions: this.#sizes.length, curve };
  }

  /** The lowest score that exceeds a threshold once it is scaled in float32, by bisection over all scores. */
  #lowestAbove(threshold: number): number {
    const range = Math.fround(this.#highest - this.#lowest);
    const limit = Math.fround(threshold);
    let [low, high] = [keyOfScore(this.#lowest), keyOfScore(this.#highest)];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const scaled = Math.fround(Math.fround(scoreOfKey(middle) - this.#lowest) / range);
      if (scaled > limit) high = middle;
      else low = middle + 1;
    }
    return scoreOfKey(low);
  }
}

/** How many of the rising values are at most `score`. */
function countUpTo(values: Float32Array, score: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! <= score) low = middle + 1;
    else high = middle;
  }
  return low;
}

function areaBelow(curve: readonly ProPoint[]): number {
  const kept = curve.filter(({ falsePositiveRate }) => falsePositiveRate < largestRate);
  const largest = Math.max(...kept.map(({ falsePositiveRate }) => falsePositiveRate));
  if (kept.length < 2 || largest === 0) {
    throw new RangeError(
      `published PRO: an area needs points with false positives, but ${kept.length} of ${thresholds} thresholds lie below a rate of ${largestRate}, the largest rate there being ${Math.max(largest, 0)}; the metric is undefined.`,
    );
  }
  let area = 0;
  for (let i = 1; i < kept.length; i++) {
    const [left, right] = [kept[i]!, kept[i - 1]!];
    area += ((right.falsePositiveRate - left.falsePositiveRate) * (left.overlap + right.overlap)) / 2;
  }
  return area / largest;
}
