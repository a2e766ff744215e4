/**
 * Exact ranking metrics: every distinct score is a threshold, and equal scores are counted together.
 *
 * Labels are truthy (defective) or falsy (good); a score is positive from the threshold upwards (score ≥ threshold).
 * Ten million float32 scores take seconds: both classes are sorted natively and merged.
 */

/** Labels of any kind that are truthy for defective: 0 and 1, booleans, the bytes of a mask. */
export type Labels = ArrayLike<number | boolean>;

/** Scores in the order of the labels; higher is more defective. */
export type Scores = ArrayLike<number>;

/** Called for every distinct score, falling, with the counts of defective and good ones at least as high. */
type Visit = (threshold: number, truePositives: number, falsePositives: number) => void;

/**
 * Walks down the distinct scores.
 *
 * @returns how many are defective and good.
 * @throws RangeError when the lengths differ, a score is not a number, or a class is missing.
 */
function walkThresholds(name: string, labels: Labels, scores: Scores, visit: Visit): [number, number] {
  const [positives, negatives] = splitAndSort(name, labels, scores);
  let i = positives.length;
  let j = negatives.length;
  while (i > 0 || j > 0) {
    const threshold = Math.max(positives[i - 1] ?? -Infinity, negatives[j - 1] ?? -Infinity);
    while (i > 0 && positives[i - 1]! === threshold) i--;
    while (j > 0 && negatives[j - 1]! === threshold) j--;
    visit(threshold, positives.length - i, negatives.length - j);
  }
  return [positives.length, negatives.length];
}

type FloatArray = Float32Array | Float64Array;

/** Scores of the defective and of the good, each rising; in float32 where that is what was given. */
function splitAndSort(name: string, labels: Labels, scores: Scores): [FloatArray, FloatArray] {
  if (labels.length !== scores.length) {
    throw new RangeError(
      `${name}: every score needs a label, but there are ${scores.length} scores and ${labels.length} labels.`,
    );
  }
  let count = 0;
  for (let i = 0; i < labels.length; i++) if (labels[i]) count++;
  if (count === 0 || count === labels.length) {
    const missing = count === 0 ? "defective" : "good";
    throw new RangeError(
      `${name}: both classes are needed, but none of the ${labels.length} labels is ${missing}; the metric is undefined.`,
    );
  }
  const Floats = scores instanceof Float32Array ? Float32Array : Float64Array;
  const positives = new Floats(count);
  const negatives = new Floats(labels.length - count);
  let p = 0;
  let n = 0;
  for (let i = 0; i < labels.length; i++) {
    const score = scores[i]!;
    if (Number.isNaN(score)) throw new RangeError(`${name}: score ${i} is not a number.`);
    if (labels[i]) positives[p++] = score;
    else negatives[n++] = score;
  }
  return [positives.sort(), negatives.sort()];
}

/**
 * Area under the ROC curve: the probability that a defective one scores higher than a good one, ties counting half.
 *
 * @throws RangeError when the lengths differ, a score is not a number, or a class is missing.
 */
export function auroc(labels: Labels, scores: Scores): number {
  let area = 0;
  let lastTrue = 0;
  let lastFalse = 0;
  const [positives, negatives] = walkThresholds("auroc", labels, scores, (_, hits, alarms) => {
    area += ((alarms - lastFalse) * (hits + lastTrue)) / 2;
    lastTrue = hits;
    lastFalse = alarms;
  });
  return area / (positives * negatives);
}

/**
 * Average precision: Σ (R_n − R_{n−1}) P_n over falling thresholds, without interpolation.
 *
 * @throws RangeError as `auroc`.
 */
export function averagePrecision(labels: Labels, scores: Scores): number {
  let sum = 0;
  let lastTrue = 0;
  const [positives] = walkThresholds("averagePrecision", labels, scores, (_, hits, alarms) => {
    sum += (hits - lastTrue) * (hits / (hits + alarms));
    lastTrue = hits;
  });
  return sum / positives;
}

/** The best F1 and where it is reached. */
export type F1Max = {
  f1: number;
  /** The score from which on everything is called defective; the lowest where several are equally good. */
  threshold: number;
  precision: number;
  recall: number;
};

/**
 * The best F1 = 2 P R / (P + R) over all thresholds.
 *
 * @throws RangeError as `auroc`.
 */
export function f1Max(labels: Labels, scores: Scores): F1Max {
  let best = { threshold: Infinity, hits: 0, alarms: 0, f1: -1 };
  let positives = 0;
  for (let i = 0; i < labels.length; i++) if (labels[i]) positives++;
  walkThresholds("f1Max", labels, scores, (threshold, hits, alarms) => {
    const f1 = (2 * hits) / (hits + alarms + positives);
    if (f1 >= best.f1) best = { threshold, hits, alarms, f1 };
  });
  const { f1, threshold, hits, alarms } = best;
  return { f1, threshold, precision: hits / (hits + alarms), recall: hits / positives };
}

/** A point of the ROC curve: what a threshold finds, and what it costs. Both rates are in [0, 1]. */
export type RocPoint = { threshold: number; falsePositiveRate: number; truePositiveRate: number };

/**
 * The ROC curve from (0, 0) to (1, 1), one point for every distinct score, thresholds falling from infinity.
 *
 * Meant for images, not pixels: it holds every point.
 *
 * @throws RangeError as `auroc`.
 */
export function rocCurve(labels: Labels, scores: Scores): RocPoint[] {
  const counts: [number, number, number][] = [[Infinity, 0, 0]];
  const [positives, negatives] = walkThresholds("rocCurve", labels, scores, (...point) => counts.push(point));
  return counts.map(([threshold, hits, alarms]) => ({
    threshold,
    falsePositiveRate: alarms / negatives,
    truePositiveRate: hits / positives,
  }));
}
