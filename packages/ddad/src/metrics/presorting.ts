/**
 * What a threshold would cost that is chosen for a purpose: how many good parts are stopped where most defects must be caught, and how many
 * defects are missed where few good parts may be stopped.
 *
 * It is PGn and PBn (presorted good, presorted bad) of Baitieva et al., Beyond Academic Benchmarks (2025, arXiv 2503.23451), as
 * anomalib has them, seen from the other side. With good scores g, defective scores d, and everything stopped from t on:
 *
 *     PGn = |{g < t}| / |g| where n % of the defects are missed      goodStopped at 100 − n  = 1 − PGn
 *     PBn = |{d ≥ t}| / |d| where n % of the good parts are stopped  defectsMissed at n      = 1 − PBn
 *
 * The thresholds are scores that occur, not interpolated between them: t is the highest score from which on at least
 * ⌈n |d| / 100⌉ defective ones lie, and the lowest from which on at most ⌊n |g| / 100⌋ good ones lie. They are chosen on the test
 * set, which a line cannot do: the fractions are what the scores allow, not what a calibrated threshold gives.
 */
import type { Labels, Scores } from "./curves.ts";

/** A count of images, its fraction of those of its class, and the threshold that gives it. */
export type PresortedCount = {
  readonly rate: number;
  readonly count: number;
  /** Score from which on everything is stopped; absent where no score is high enough, and from files of version 0.1. */
  readonly threshold?: number | undefined;
};

/** See the file's head. Percentages are whole numbers. */
export type Presorting = {
  /** Good ones that are stopped where this percentage of the defective ones must be caught. */
  readonly goodStopped: readonly (PresortedCount & { readonly defectsCaught: number })[];
  /** Defective ones that are missed where at most this percentage of the good ones may be stopped. */
  readonly defectsMissed: readonly (PresortedCount & { readonly goodStopped: number })[];
};

/** Percentages of defects that must be caught. */
export const caughtPercentages = [90, 95, 99, 100] as const;

/** Percentages of good parts that may be stopped. */
export const stoppedPercentages = [0, 1, 5, 10] as const;

/**
 * How good and defective scores can be presorted.
 *
 * @param labels 1 or true of the defective ones
 * @throws RangeError where a class is missing
 */
export function presorting(labels: Labels, scores: Scores): Presorting {
  const ofClass = (defective: boolean): number[] =>
    Array.from({ length: scores.length }, (_, i) => scores[i]!)
      .filter((_, i) => Boolean(labels[i]) === defective)
      .sort((a, b) => b - a);
  const [good, bad] = [ofClass(false), ofClass(true)];
  if (good.length === 0 || bad.length === 0) {
    throw new RangeError("presorting: both classes are needed, but one of them has no score.");
  }
  const counted = (count: number, of: number, threshold: number | undefined): PresortedCount => ({
    rate: count / of,
    count,
    ...(threshold !== undefined && { threshold }),
  });
  return {
    goodStopped: caughtPercentages.map((defectsCaught) => {
      const threshold = bad[Math.ceil((defectsCaught * bad.length) / 100) - 1]!;
      const stopped = good.filter((score) => score >= threshold).length;
      return { defectsCaught, ...counted(stopped, good.length, threshold) };
    }),
    defectsMissed: stoppedPercentages.map((goodStopped) => {
      // The highest good score that must pass: what is not above it passes, too.
      const passing = good[Math.floor((goodStopped * good.length) / 100)]!;
      const missed = bad.filter((score) => score <= passing).length;
      const above = [...good, ...bad].filter((score) => score > passing);
      const threshold = above.length === 0 ? undefined : above.reduce((a, b) => Math.min(a, b));
      return { goodStopped, ...counted(missed, bad.length, threshold) };
    }),
  };
}
