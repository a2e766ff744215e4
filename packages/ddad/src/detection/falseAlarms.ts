/**
 * Which score is the threshold for a rate of false alarms, and what it promises: of exchangeable good images, whose scores may come
 * in any order, one in n + 1 exceeds the largest of n.
 */
import { DataError } from "../errors.ts";
import { clopperPearson } from "../metrics/rateIntervals.ts";
import { studentQuantile } from "../metrics/studentQuantile.ts";

/** The lowest false-alarm rate that the scores of so many good images support: 1 in `count + 1`. */
export const lowestFalseAlarmRate = (count: number): number => 1 / (count + 1);

/**
 * The score from which on an image is called defective, such that a fraction `rate` of good ones is.
 *
 * Without a rate it is the largest score, which of exchangeable good images one in n + 1 exceeds: the lowest rate that n
 * scores support. With one, and enough scores (n + 1 ≥ 1/rate), it is one of them: the smallest that at most that fraction
 * of exchangeable good images exceeds. With fewer it lies beyond all of them, where no data is: then it is the upper
 * prediction bound of a log-normal distribution (of a normal one where a score is not positive), or the largest score, if
 * that is higher.
 *
 * @throws DataError when there are fewer than two scores.
 */
export function falseAlarmThreshold(scores: readonly number[], rate?: number): number {
  checkScoreCount(scores);
  const n = scores.length;
  if (!isExtrapolated(n, rate)) {
    return [...scores].sort((a, b) => a - b)[thresholdRank(n, rate) - 1]!;
  }
  // A bank of patches gives 0 for an image that it knows by heart, which has no logarithm.
  const positive = scores.every((score) => score > 0);
  const values = positive ? scores.map(Math.log) : scores;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const bound = mean + studentQuantile(1 - rate!, n - 1) * Math.sqrt(variance * (1 + 1 / n));
  return Math.max(positive ? Math.exp(bound) : bound, ...scores);
}

/** The place, from 1, of the score that is the threshold among rising ones: beyond them where they are too few. */
const rankOf = (count: number, rate: number): number => Math.ceil((count + 1) * (1 - rate));

/** The place, from 1, of the score that is the threshold among as many rising ones, where it is one of them. */
const thresholdRank = (count: number, rate: number | undefined): number =>
  rate === undefined ? count : Math.min(rankOf(count, rate), count);

/** Whether the threshold for a false-alarm rate lies beyond so many scores, where it is an assumption and no observation. */
export const isExtrapolated = (count: number, rate?: number): boolean =>
  // The rate itself is compared, too: 23 · (1 − 1/23) may come out above 22.
  rate !== undefined && rate < lowestFalseAlarmRate(count) && rankOf(count, rate) > count;

/**
 * What people should know of a threshold that is extrapolated, and what to do; undefined of one that is not.
 *
 * @param setting the name by which the rate was given, and can be changed
 */
export function describeExtrapolation(
  count: number,
  rate?: number,
  setting = "detection.falseAlarmRate",
): string | undefined {
  if (rate === undefined || !isExtrapolated(count, rate)) return undefined;
  const needed = Math.ceil(1 / rate) - 1;
  // Rounded up, so that the rate that is advised is supported.
  const supported = Math.ceil(1000 * lowestFalseAlarmRate(count)) / 1000;
  return (
    `${count} good images cannot support a false-alarm rate below 1 in ${count + 1}, but ${setting} is ${rate}: ` +
    `the threshold is extrapolated. Calibrate with at least ${needed} good images, or set ${setting}=${supported}.`
  );
}

/** A rate that factories often want, and the images that support it. */
const promise = { rate: 0.01, images: 99 };

/** How sure `largestFalseAlarmRate` is. */
const confidence = 0.95;

/**
 * The rate that the threshold stays below with 95 % confidence. Held-out images are a sample: over all samples of n images the rate of
 * exchangeable good images is the promised one at most on average, but by one sample it is distributed by Beta(k, n + 1 − k), where
 * the threshold is the k-th largest score. For the largest of 12 scores, 1 in 13 on average, it is 22 %.
 *
 * Undefined where the threshold is extrapolated: then it rests on an assumption, not on the scores.
 */
export function largestFalseAlarmRate(count: number, rate?: number): number | undefined {
  if (isExtrapolated(count, rate)) return undefined;
  return clopperPearson(count - thresholdRank(count, rate), count, 2 * confidence - 1)[1];
}

/** What a calibration on so many good images promises, and what it takes to promise more: up to three sentences. */
export function describeFalseAlarms(count: number, rate?: number): string {
  const extrapolation = describeExtrapolation(count, rate);
  if (extrapolation !== undefined) return extrapolation;
  const often = oneIn(rate ?? lowestFalseAlarmRate(count));
  const largest = atMostOneIn(largestFalseAlarmRate(count, rate)!);
  const stopped =
    `About ${often.endsWith("%") ? `${often} of the` : often} good parts will be stopped (at most ${largest}, ` +
    `${100 * confidence} % confidence), if they look like the calibration images.`;
  if (rate !== undefined) return stopped;
  if (count > promise.images) {
    return `${stopped} With detection.falseAlarmRate=${promise.rate} more defects are found, and ${oneIn(promise.rate)} is stopped.`;
  }
  return count === promise.images
    ? stopped
    : `${stopped} To promise ${oneIn(promise.rate)}, calibrate with at least ${promise.images} good images.`;
}

/** Below this probability good test images are said to be unlike those of the calibration. */
const surprising = 0.05;

/**
 * A sentence where good test images are called defective more often than the calibration allows for, which happens by chance once in
 * 20 tests at most; else undefined.
 *
 * @param falseAlarms good test images at or above the threshold; @param of all of them
 * @param count images of the calibration; @param rate as for `falseAlarmThreshold`
 */
export function describeExcess(
  falseAlarms: number,
  of: number,
  count: number,
  rate?: number,
): string | undefined {
  if (isExtrapolated(count, rate) || probabilityOfAtLeast(falseAlarms, of, count, rate) >= surprising)
    return undefined;
  return (
    `${falseAlarms} of ${of} good test images are called defective, but the calibration promises about ` +
    `${oneIn(rate ?? lowestFalseAlarmRate(count))}: they differ from the ${count} calibration images, ` +
    "in light or pose, or because those show parts that were trained on, too. " +
    "Calibrate on good images of other parts, taken like the new ones (ddad calibrate --good FOLDER)."
  );
}

/**
 * The probability that of `of` good images, exchangeable with the `count` of the calibration, so many or more reach the threshold. All
 * orders of the scores are equally likely, so the number is distributed negative hypergeometrically.
 */
export function probabilityOfAtLeast(falseAlarms: number, of: number, count: number, rate?: number): number {
  const above = count + 1 - thresholdRank(count, rate);
  let sum = 0;
  // P(j) = C(j + above − 1, j) C(of − j + count − above, of − j) / C(of + count, of)
  for (let j = falseAlarms; j <= of; j++) {
    sum += Math.exp(
      logBinomial(j + above - 1, j) +
        logBinomial(of - j + count - above, of - j) -
        logBinomial(of + count, of),
    );
  }
  return Math.min(sum, 1);
}

function logBinomial(n: number, k: number): number {
  let log = 0;
  for (let i = 1; i <= k; i++) log += Math.log((n - k + i) / i);
  return log;
}

/** A bound as people say it: `1 in 7` of 0.13, never less than it is. */
const atMostOneIn = (rate: number): string =>
  rate > 0.5 ? `${Math.ceil(100 * rate)} %` : `1 in ${Math.floor(1 / rate)}`;

/** A rate as people say it: `1 in 23`, or in percent where it is none of one in a whole number. */
export function oneIn(rate: number): string {
  const times = Math.round(1 / rate);
  const near = times >= 2 && Math.abs(rate * times - 1) < 0.02;
  return near ? `1 in ${times}` : `${Number((100 * rate).toPrecision(3))} %`;
}

/** Throws DataError unless there are two scores at least. */
export function checkScoreCount({ length }: readonly number[]): void {
  if (length >= 2) return;
  throw new DataError(
    `A threshold needs the scores of at least two held-out good images, but there ${length === 1 ? "is one" : "is none"}; raise data.heldOut or add images.`,
  );
}
