/**
 * What good pictures score: fixed once on held-out good pictures, so that the score of a picture depends on no other
 * picture that happens to be inspected with it.
 */
import * as z from "zod";
import { type Config, configSchema } from "./config.ts";
import type { DistanceScales } from "./distance.ts";
import { DataError } from "./errors.ts";
import { ScoreCounts } from "./metrics/scoreCounts.ts";

const { sampling, detection } = configSchema.shape;
const features = configSchema.shape.features.pick({ network: true });
const patchcore = configSchema.shape.patchcore.pick({ neighbours: true });

/** What a calibration must be, as zod's schema; it checks those that come from files. */
export const calibrationSchema = z.strictObject({
  /** What each distance is divided by: its largest value in a good picture, in the mean. PatchCore divides nothing. */
  scales: z
    .strictObject({ pixel: z.number().positive(), feature: z.number().positive().optional() })
    .optional(),
  /** Image scores of the held-out good pictures, rising. */
  scores: z.array(z.number()).min(2),
  /** Scores that a share of the pixels of these pictures reaches, the shares falling. */
  pixels: z.array(z.strictObject({ share: z.number().positive(), score: z.number() })).min(1),
  /** Settings that all of it holds for. */
  precision: configSchema.shape.precision.default("f32"),
  features,
  sampling,
  detection: detection.omit({ falseAlarmRate: true, pixelFalseAlarmRate: true }),
  /** Of PatchCore alone. */
  patchcore: patchcore.optional(),
});

/** What good pictures score, and the settings that this holds for. */
export type Calibration = z.infer<typeof calibrationSchema>;

/** Shares of good pixels whose scores are kept. */
const pixelShares = [
  ...[0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001],
  ...[5e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5],
];

/** What was found in a held-out good picture; `Inspection` is one. */
export type HeldOutInspection = { readonly score: number; readonly map: Float32Array };

/**
 * A calibration by what held-out good pictures gave under a configuration. Of a map no more is kept than `ScoreCounts` does.
 *
 * @param scales that the distances were divided by.
 * @throws DataError when there are fewer than two.
 * @throws RangeError when a score is not a finite number, or a scale is nothing to divide by.
 */
export async function calibrationOf(
  config: Config,
  inspections: AsyncIterable<HeldOutInspection> | Iterable<HeldOutInspection>,
  scales?: DistanceScales,
): Promise<Calibration> {
  const scores: number[] = [];
  const pixels = new ScoreCounts();
  for await (const { score, map } of inspections) {
    scores.push(score);
    pixels.add(map);
  }
  checkCount(scores);
  const wrong = scores.find((score) => !Number.isFinite(score));
  if (wrong !== undefined) {
    throw new RangeError(
      `calibration: a held-out good picture scores ${wrong}; the weights hold numbers that are none, or too large ones.`,
    );
  }
  for (const [name, scale] of Object.entries(scales ?? {})) {
    if (scale === undefined || (scale > 0 && Number.isFinite(scale))) continue;
    throw new RangeError(
      `calibration: the largest ${name} distances of held-out good pictures are ${scale} in the mean, which nothing can be divided by.`,
    );
  }
  const { falseAlarmRate: _, pixelFalseAlarmRate: __, ...detection } = config.detection;
  const features = { network: config.features.network };
  return {
    ...(scales && { scales }),
    scores: scores.sort((a, b) => a - b),
    pixels: pixelShares.map((share) => ({ share, score: pixels.reachedBy(share) })),
    precision: config.precision,
    features,
    sampling: config.sampling,
    detection,
    ...(config.method === "patchcore" && { patchcore: { neighbours: config.patchcore.neighbours } }),
  };
}

/** Settings of a configuration that differ from those of the calibration, as `sampling.guidance 4 (calibrated: 2)`. */
export function calibrationDifferences(calibration: Calibration, config: Config): string[] {
  // What a calibration does not depend on is not in it; what it was made without, such as `sampling.calls`, may be set now.
  const sections = [
    ["features", features],
    ["sampling", sampling],
    ["detection", calibrationSchema.shape.detection],
    ...(config.method === "patchcore" ? [["patchcore", patchcore] as const] : []),
  ] as const;
  const precision =
    config.precision === calibration.precision
      ? []
      : [difference("precision", config.precision, calibration.precision)];
  const others = sections.flatMap(([section, { shape }]) => {
    const now = config[section] as Record<string, unknown>;
    const then = calibration[section] as Record<string, unknown> | undefined;
    return Object.keys(shape)
      .filter((key) => now[key] !== then?.[key])
      .map((key) => difference(`${section}.${key}`, now[key], then?.[key]));
  });
  return [...precision, ...others];
}

const difference = (setting: string, now: unknown, then: unknown): string =>
  `${setting} ${show(now)} (calibrated: ${show(then)})`;

const show = (value: unknown): string => (value === undefined ? "not set" : String(value));

/**
 * The score from which on a pixel is called defective, such that a share `rate` of the pixels of good pictures is: between
 * the shares that are kept by the logarithm of the share, beyond them the last one.
 */
export function pixelThreshold({ pixels }: Calibration, rate: number): number {
  const after = pixels.findIndex(({ share }) => share <= rate);
  if (after < 0) return pixels.at(-1)!.score;
  const [a, b] = [pixels[Math.max(after - 1, 0)]!, pixels[after]!];
  if (a === b) return b.score;
  const part = Math.log(rate / a.share) / Math.log(b.share / a.share);
  return a.score + part * (b.score - a.score);
}

/**
 * The score from which on a picture is called defective, such that a share `rate` of good ones is.
 *
 * With enough scores (n + 1 ≥ 1/rate) it is one of them: the smallest that at most that share of exchangeable good
 * pictures exceeds. With fewer it lies beyond all of them, where no data is: then it is the upper prediction bound of a
 * log-normal distribution (of a normal one where a score is not positive), or the largest score, if that is higher.
 *
 * @throws DataError when there are fewer than two scores.
 */
export function falseAlarmThreshold(scores: readonly number[], rate: number): number {
  checkCount(scores);
  const n = scores.length;
  if (!isExtrapolated(n, rate)) return [...scores].sort((a, b) => a - b)[rankOf(n, rate) - 1]!;
  // A bank of patches gives 0 for a picture that it knows by heart, which has no logarithm.
  const positive = scores.every((score) => score > 0);
  const values = positive ? scores.map(Math.log) : scores;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const bound = mean + studentQuantile(1 - rate, n - 1) * Math.sqrt(variance * (1 + 1 / n));
  return Math.max(positive ? Math.exp(bound) : bound, ...scores);
}

/** The place, from 1, of the score that is the threshold among rising ones: beyond them where they are too few. */
const rankOf = (count: number, rate: number): number => Math.ceil((count + 1) * (1 - rate));

/** Whether the threshold for a rate of false alarms lies beyond so many scores, where it is an assumption and no observation. */
export const isExtrapolated = (count: number, rate: number): boolean => rankOf(count, rate) > count;

/** What people should know of a threshold that is extrapolated, and what to do; undefined of one that is not. */
export function describeExtrapolation(count: number, rate: number): string | undefined {
  if (!isExtrapolated(count, rate)) return undefined;
  return (
    `${count} held-out good pictures vouch for no rate of false alarms below 1 in ${count + 1}, but detection.falseAlarmRate ` +
    `is ${rate}: the threshold is extrapolated; hold out more by data.heldOut, or set a higher detection.falseAlarmRate`
  );
}

function checkCount({ length }: readonly number[]): void {
  if (length >= 2) return;
  throw new DataError(
    `A threshold needs the scores of at least two held-out good pictures, but there ${length === 1 ? "is one" : "is none"}; raise data.heldOut or add pictures.`,
  );
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
