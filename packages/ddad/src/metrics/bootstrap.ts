/**
 * How far a metric would move had other images been drawn: percentile bootstrap over images (Efron 1979).
 *
 * Good and defective images are resampled apart. Their numbers were chosen when the data set was made, not drawn, and a
 * resample without one of the classes would leave the metrics undefined. Pixels of one image hang together, so pixel
 * metrics resample whole images, too.
 */
import { uniform } from "../data/random.ts";
import { auroc, averagePrecision, f1Max, type Labels, type Scores } from "./curves.ts";

/** How often, how wide and from which seed. */
export type BootstrapOptions = {
  /** Resamples; 1000 without it. */
  resamples?: number;
  /** Fraction of the resamples that the interval covers; 0.95 without it. */
  level?: number;
  /** Seed of the resamples; 0 without it. The same seed and labels give the same resamples everywhere. */
  seed?: number;
};

/** The options where none are given. */
export const bootstrapDefaults: Required<BootstrapOptions> = { resamples: 1000, level: 0.95, seed: 0 };

/** Lower and upper end. */
export type Interval = [low: number, high: number];

/**
 * Draws as many images of each class as there are, with replacement, again and again.
 *
 * @returns for every resample how often each image was drawn: a weighting for `PixelMetrics`.
 */
export function resampleImages(labels: Labels, options: BootstrapOptions = {}): Uint32Array[] {
  const { resamples, seed } = checkOptions(options);
  const classes: [number[], number[]] = [[], []];
  for (let i = 0; i < labels.length; i++) classes[labels[i] ? 1 : 0].push(i);
  return Array.from({ length: resamples }, (_, resample) => {
    const counts = new Uint32Array(labels.length);
    for (const members of classes) {
      for (const member of members) {
        // The counter is the image, so that no draw is used for two classes.
        const drawn = members[Math.floor(uniform(seed, resample, member) * members.length)]!;
        counts[drawn]! += 1;
      }
    }
    return counts;
  });
}

/**
 * The middle `level` of the values, between order statistics interpolated linearly.
 *
 * @throws RangeError when there is none.
 */
export function percentileInterval(
  values: readonly number[],
  level: number = bootstrapDefaults.level,
): Interval {
  checkOptions({ level });
  if (values.length === 0) throw new RangeError("percentileInterval: there are no values.");
  const sorted = Float64Array.from(values).sort();
  const quantile = (fraction: number): number => {
    const position = fraction * (sorted.length - 1);
    const below = Math.floor(position);
    const low = sorted[below]!;
    return low + (position - below) * ((sorted[below + 1] ?? low) - low);
  };
  return [quantile((1 - level) / 2), quantile((1 + level) / 2)];
}

/** Intervals of the image metrics. */
export type ImageIntervals = { auroc: Interval; ap: Interval; f1Max: Interval };

/**
 * Intervals of the image metrics.
 *
 * @throws RangeError as `auroc`, or when an option is out of range.
 */
export function imageIntervals(
  labels: Labels,
  scores: Scores,
  options: BootstrapOptions = {},
): ImageIntervals {
  const values = { auroc: [] as number[], ap: [] as number[], f1Max: [] as number[] };
  for (const counts of resampleImages(labels, options)) {
    const drawnLabels: (number | boolean)[] = [];
    const drawnScores: number[] = [];
    counts.forEach((count, image) => {
      for (let time = 0; time < count; time++) {
        drawnLabels.push(labels[image]!);
        drawnScores.push(scores[image]!);
      }
    });
    values.auroc.push(auroc(drawnLabels, drawnScores));
    values.ap.push(averagePrecision(drawnLabels, drawnScores));
    values.f1Max.push(f1Max(drawnLabels, drawnScores).f1);
  }
  const { level } = checkOptions(options);
  return {
    auroc: percentileInterval(values.auroc, level),
    ap: percentileInterval(values.ap, level),
    f1Max: percentileInterval(values.f1Max, level),
  };
}

function checkOptions(options: BootstrapOptions): Required<BootstrapOptions> {
  const complete = { ...bootstrapDefaults, ...options };
  const { resamples, level } = complete;
  if (!Number.isInteger(resamples) || resamples < 1) {
    throw new RangeError(
      `bootstrap: resamples must be a whole number of at least 1, but there are ${resamples}.`,
    );
  }
  if (!(level > 0 && level < 1))
    throw new RangeError(`bootstrap: level must be between 0 and 1, but is ${level}.`);
  return complete;
}
