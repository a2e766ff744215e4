/**
 * What good pictures score: fixed once on held-out good pictures, so that the score of a picture depends on no other
 * picture that happens to be inspected with it.
 */
import * as z from "zod";
import { type Config, configSchema } from "./config.ts";
import { DataError } from "./errors.ts";

const { sampling, detection } = configSchema.shape;

export const calibrationSchema = z.strictObject({
  /** What each distance is divided by: its largest value in a good picture, in the mean. */
  scales: z.strictObject({ pixel: z.number().positive() }),
  /** Image scores of the held-out good pictures, rising. */
  scores: z.array(z.number()).min(2),
  /** Settings that scales and scores hold for. */
  sampling,
  detection: detection.omit({ falseAlarmRate: true }),
});

export type Calibration = z.infer<typeof calibrationSchema>;

/** Settings of a configuration that differ from those of the calibration, as `sampling.guidance 4 (calibrated: 2)`. */
export function calibrationDifferences(calibration: Calibration, config: Config): string[] {
  return (["sampling", "detection"] as const).flatMap((section) => {
    const now: Record<string, unknown> = config[section];
    return Object.entries(calibration[section])
      .filter(([key, then]) => now[key] !== then)
      .map(([key, then]) => `${section}.${key} ${String(now[key])} (calibrated: ${String(then)})`);
  });
}

/**
 * The score from which on a picture is called defective, such that a share `rate` of good ones is.
 *
 * With enough scores (n + 1 ≥ 1/rate) it is one of them: the smallest that at most that share of exchangeable good
 * pictures exceeds. With fewer it lies beyond all of them, where no data is: then the upper prediction bound of a
 * log-normal distribution.
 *
 * @throws DataError when there are fewer than two scores.
 */
export function falseAlarmThreshold(scores: readonly number[], rate: number): number {
  const n = scores.length;
  if (n < 2) {
    throw new DataError(
      `A threshold needs the scores of at least two held-out good pictures, but there ${n === 1 ? "is one" : "is none"}; raise data.heldOut or add pictures.`,
    );
  }
  const rank = Math.ceil((n + 1) * (1 - rate));
  if (rank <= n) return [...scores].sort((a, b) => a - b)[rank - 1]!;
  const logs = scores.map((score) => Math.log(Math.max(score, Number.MIN_VALUE)));
  const mean = logs.reduce((sum, log) => sum + log, 0) / n;
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (n - 1);
  return Math.exp(mean + studentQuantile(1 - rate, n - 1) * Math.sqrt(variance * (1 + 1 / n)));
}

/** The quantile above the median of Student's distribution (Abramowitz and Stegun 26.2.23 and 26.7.5). */
function studentQuantile(probability: number, degrees: number): number {
  const tail = Math.sqrt(-2 * Math.log(1 - probability));
  const z =
    tail -
    (2.515517 + 0.802853 * tail + 0.010328 * tail ** 2) /
      (1 + 1.432788 * tail + 0.189269 * tail ** 2 + 0.001308 * tail ** 3);
  return (
    z +
    (z ** 3 + z) / (4 * degrees) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * degrees ** 3)
  );
}
