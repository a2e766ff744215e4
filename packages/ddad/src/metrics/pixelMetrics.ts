/**
 * Exact pixel metrics of a test set whose maps come one by one and need not be kept.
 *
 * What stays of an image are the sorted scores of its good pixels, 4 bytes each, and score and region of its defective
 * ones, 8 bytes each, twice that while they are sorted: 100 maps of 1024² with five per cent defective take 0.5 GB.
 */
import type { F1Max } from "./curves.ts";
import { type ImageCounts, type PixelAreas, type SortedPixels, sweepPixels } from "./pixelSweep.ts";
import { findRegions } from "./regions.ts";
import { bitsOf, firstAtLeast, keyOfBits, keyOfScore, scoreOfKey, sortKeys } from "./scoreKeys.ts";

/** What is measured beside the metrics of all images. */
export type PixelOptions = {
  /** False-positive rates up to which areas under the PRO curve are taken, in (0, 1]; 0.3 and 0.05 without it. */
  limits?: readonly number[];
  /**
   * Also the areas of parts and resamples of the images: for each how often every image counts, in the order they were
   * added. Hardly more work than none.
   */
  weightings?: readonly ImageCounts[];
};

/** Pixel metrics of a test set, in [0, 1]. */
export type PixelResult = PixelAreas & {
  /** Average precision. */
  ap: number;
  f1Max: F1Max;
  /** Areas of every weighting, undefined where it has no defective pixel or no good one. */
  weighted: (PixelAreas | undefined)[];
};

/**
 * Collects anomaly maps with their ground truth, and ranks their pixels: AUROC, average precision, F1-max and AUPRO as
 * `auroc`, `averagePrecision`, `f1Max` and `aupro` define them.
 *
 * @example
 *   const pixels = new PixelMetrics();
 *   for (const { map, mask } of inspected) pixels.add(map, mask);
 *   const { auroc, aupro: [aupro30, aupro05] } = pixels.result();
 */
export class PixelMetrics {
  readonly #good: Uint32Array[] = [];
  /** Parts of the defective pixels; the first is sorted once a result was asked for. */
  #defective: SortedPixels["defective"][] = [];
  readonly #regions: { image: number; size: number }[] = [];
  #scratch = new Uint32Array(0);

  /** Images added. */
  get images(): number {
    return this.#good.length;
  }

  /** Defective regions in them, 8-connected. */
  get regions(): number {
    return this.#regions.length;
  }

  /**
   * Adds an image.
   *
   * @param map anomaly scores `[H · W]`; it may be used again afterwards.
   * @param mask ground truth `[H · W]`; a pixel that is not 0 is defective.
   * @param width columns of both; without it they are taken as square.
   * @throws RangeError when the sizes do not agree or a score is not a number; the image is not added then.
   */
  add(map: Float32Array, mask: ArrayLike<number>, width = Math.sqrt(map.length)): void {
    const defects = this.#check(map, mask, width);
    const bits = bitsOf(map);
    const good = new Uint32Array(map.length - defects);
    if (defects === 0) {
      for (let pixel = 0; pixel < bits.length; pixel++) good[pixel] = keyOfBits(bits[pixel]!);
    } else {
      const { labels, sizes } = findRegions(mask, width, map.length / width);
      const keys = new Uint32Array(defects);
      const regions = new Uint32Array(defects);
      const before = this.#regions.length - 1; // labels count from 1
      let g = 0;
      let d = 0;
      for (let pixel = 0; pixel < bits.length; pixel++) {
        const key = keyOfBits(bits[pixel]!);
        if (labels[pixel] === 0) good[g++] = key;
        else {
          keys[d] = key;
          regions[d++] = before + labels[pixel]!;
        }
      }
      this.#defective.push({ keys, regions });
      for (const size of sizes) this.#regions.push({ image: this.images, size });
    }
    if (this.#scratch.length < good.length) this.#scratch = new Uint32Array(good.length);
    sortKeys(good, undefined, this.#scratch);
    this.#good.push(good);
  }

  /**
   * The metrics of all images added so far. More may be added afterwards.
   *
   * @throws RangeError when a limit is out of range, or there is no defective or no good pixel.
   */
  result({ limits = [0.3, 0.05], weightings = [] }: PixelOptions = {}): PixelResult {
    for (const limit of limits) {
      if (!(limit > 0 && limit <= 1)) {
        throw new RangeError(`PixelMetrics: limits must be in (0, 1], but one is ${limit}.`);
      }
    }
    for (const { length } of weightings) {
      if (length === this.images) continue;
      throw new RangeError(`PixelMetrics: a weighting of ${length} does not fit ${this.images} images.`);
    }
    const pixels = { good: this.#good, defective: this.#sortDefective(), regions: this.#regions };
    const defects = pixels.defective.keys.length;
    let ap = 0;
    let lastHits = 0;
    let best = { key: 0, hits: 0, alarms: 0, f1: -1 };
    const everyOne = new Uint8Array(this.images).fill(1);
    const [all, ...weighted] = sweepPixels(pixels, [everyOne, ...weightings], limits, (key, hits, alarms) => {
      ap += ((hits - lastHits) * (hits / (hits + alarms))) / defects;
      lastHits = hits;
      const f1 = (2 * hits) / (hits + alarms + defects);
      if (f1 >= best.f1) best = { key, hits, alarms, f1 };
    });
    if (all === undefined) {
      const missing = defects === 0 ? "defective" : "good";
      throw new RangeError(
        `PixelMetrics: both classes are needed, but no pixel of the ${this.images} images is ${missing}; the metrics are undefined.`,
      );
    }
    const { key, hits, alarms, f1 } = best;
    const f1Max = {
      f1,
      threshold: scoreOfKey(key),
      precision: hits / (hits + alarms),
      recall: hits / defects,
    };
    return { ...all, ap, f1Max, weighted };
  }

  /** Good pixels of all images that score at least `threshold`, a float32 number. */
  falsePositives(threshold: number): number {
    const key = keyOfScore(threshold);
    return this.#good.reduce((sum, keys) => sum + keys.length - firstAtLeast(keys, key), 0);
  }

  /** The number of defective pixels. */
  #check(map: Float32Array, mask: ArrayLike<number>, width: number): number {
    const name = `PixelMetrics: map ${this.images}`;
    if (map.length !== mask.length) {
      throw new RangeError(`${name} has ${map.length} pixels, but its mask has ${mask.length}.`);
    }
    if (map.length === 0 || !Number.isInteger(width) || width < 1 || map.length % width !== 0) {
      throw new RangeError(`${name} with ${map.length} pixels has no rows of ${width}; give its width.`);
    }
    let defects = 0;
    for (let pixel = 0; pixel < map.length; pixel++) {
      if (Number.isNaN(map[pixel]!)) throw new RangeError(`${name}: pixel ${pixel} is not a number.`);
      if (mask[pixel]) defects++;
    }
    return defects;
  }

  #sortDefective(): SortedPixels["defective"] {
    const [only] = this.#defective;
    if (only && this.#defective.length === 1) {
      sortKeys(only.keys, only.regions);
      return only;
    }
    const parts = this.#defective;
    const count = parts.reduce((sum, { keys }) => sum + keys.length, 0);
    const all = { keys: new Uint32Array(count), regions: new Uint32Array(count) };
    let at = 0;
    for (const { keys, regions } of parts) {
      all.keys.set(keys, at);
      all.regions.set(regions, at);
      at += keys.length;
    }
    // The parts are released before the sort, which takes as much memory again.
    this.#defective = [all];
    parts.length = 0;
    return this.#sortDefective();
  }
}
