/** What the threshold decided in a test: found defects and false alarms, with their intervals. */
import type { Interval } from "../metrics/bootstrap.ts";
import { aurocInterval, clopperPearson } from "../metrics/rateIntervals.ts";
import type { ControlResult, EvaluationResult } from "./results.ts";

/** A fraction of images, and the interval of Clopper and Pearson of it. */
export type CountedRate = {
  readonly count: number;
  readonly of: number;
  readonly rate: number;
  readonly interval: Interval;
};

/** What a threshold decided. */
export type Decisions = {
  /** Good images called defective; undefined where a file of version 0.1 does not say. */
  readonly falseAlarms?: CountedRate | undefined;
  /** Defective images called defective. */
  readonly found: CountedRate;
};

/** A count as a rate with its interval. @param level of the interval */
export const countedRate = (count: number, of: number, level: number): CountedRate => ({
  count,
  of,
  rate: count / of,
  interval: clopperPearson(count, of, level),
});

/** What was decided, also of a result that does not hold it. @param falseAlarms fraction of the good images, from `scores.json` */
export function decisionsOf(
  { decisions, kinds, images, intervals, protocolBlock }: EvaluationResult,
  falseAlarms?: number,
): Decisions {
  if (decisions) return decisions;
  const { good } = protocolBlock.data;
  const found = kinds.reduce((sum, kind) => sum + Math.round(kind.detected * kind.images), 0);
  const { level } = intervals;
  return {
    ...(falseAlarms !== undefined && {
      falseAlarms: countedRate(Math.round(falseAlarms * good), good, level),
    }),
    found: countedRate(found, images - good, level),
  };
}

/**
 * The interval of the AUROC of images: by the bootstrap, and where the classes are separated perfectly, so that each resample
 * gives the same, by `aurocInterval`.
 */
export const shownAurocInterval = (result: EvaluationResult): Interval =>
  aurocIntervalOf(result, result.image.auroc, result.intervals.image.auroc);

/** The same of a control of a result; undefined where its file holds none. */
export const controlAurocInterval = (
  result: EvaluationResult,
  { image, intervals }: ControlResult,
): Interval | undefined => intervals && aurocIntervalOf(result, image.auroc, intervals.image.auroc);

function aurocIntervalOf(
  { images, intervals, protocolBlock }: EvaluationResult,
  auroc: number,
  [low, high]: Interval,
): Interval {
  if (low < high) return [low, high];
  const { good } = protocolBlock.data;
  return aurocInterval(auroc, images - good, good, intervals.level);
}

/** A bootstrap interval, where it says anything: none where each resample gave the same. */
export const shownInterval = (interval: Interval | undefined): Interval | undefined =>
  interval && interval[0] < interval[1] ? interval : undefined;

/** Whether the threshold of a result is the one that its model has now. */
export type CalibrationState = "current" | "another calibration" | "another false-alarm rate";

/** What to do with a result that is not of its model's threshold. */
export const describeState = (state: Exclude<CalibrationState, "current">): string =>
  `made with ${state}: run ddad evaluate again`;
