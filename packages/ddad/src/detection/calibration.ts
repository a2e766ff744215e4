/**
 * What good images score: fixed once on held-out good images, so that the score of an image depends on no other
 * image that happens to be inspected with it.
 */
import * as z from "zod";
import { boundSection, boundSettings, describeChanges } from "../config/binding.ts";
import { translateRenamed } from "../config/renamed.ts";
import { type Config, configSchema } from "../config/schema.ts";
import { isRecord } from "../config/settings.ts";
import { ScoreCounts } from "../metrics/scoreCounts.ts";
import type { DistanceScales } from "./distance.ts";
import { checkScoreCount } from "./falseAlarms.ts";
import { type Likeness, likenessSchema } from "./likeness.ts";

/** The sections of settings that a calibration holds for, as the table of settings says. */
const kept = {
  features: boundSection("calibration", "features") as z.ZodType<Pick<Config["features"], "network">>,
  sampling: boundSection("calibration", "sampling"),
  detection: boundSection("calibration", "detection") as z.ZodType<CalibratedDetection>,
  patchcore: boundSection("calibration", "patchcore") as z.ZodType<Pick<Config["patchcore"], "neighbours">>,
};

type CalibratedDetection = Omit<Config["detection"], "falseAlarmRate" | "pixelFalseAlarmRate">;

/** What a calibration must be, as zod's schema; it checks those that come from files. */
export const calibrationSchema = z.strictObject({
  /** What each distance is divided by: its largest value in a good image, in the mean. PatchCore divides nothing. */
  scales: z
    .strictObject({ pixel: z.number().positive(), feature: z.number().positive().optional() })
    .optional(),
  /** Image scores of the held-out good images, rising. */
  scores: z.array(z.number()).min(2),
  /** Scores that a fraction of the pixels of these images reaches, the fractions falling. */
  pixels: z.array(z.strictObject({ fraction: z.number().positive(), score: z.number() })).min(1),
  /** What these images look like as a whole; without it no image is called unlike them. */
  likeness: likenessSchema.optional(),
  /** Settings that all of it holds for. */
  precision: configSchema.shape.precision.default("f32"),
  features: kept.features,
  sampling: kept.sampling,
  detection: kept.detection,
  /** Of PatchCore alone. */
  patchcore: kept.patchcore.optional(),
});

/** A calibration as a file of an earlier version may have it, as today's: under other names, or with a likeness of other numbers. */
function withCurrentNames(stored: unknown): unknown {
  if (!isRecord(stored)) return stored;
  const { settings: renamed } = translateRenamed(stored);
  const { likeness, ...others } = renamed;
  // Without limits it has too few numbers: then no image is called unlike, which `describeMissingLikeness` says.
  const settings = isRecord(likeness) && !("limits" in likeness) ? others : renamed;
  const { pixels } = settings;
  if (!Array.isArray(pixels)) return settings;
  return {
    ...settings,
    pixels: pixels.map((entry: unknown) => {
      if (!isRecord(entry) || !("share" in entry)) return entry;
      const { share, ...others } = entry;
      return { fraction: share, ...others };
    }),
  };
}

/** The schema of a calibration in a file, of this version or of 0.1. */
export const storedCalibrationSchema = z.preprocess(withCurrentNames, calibrationSchema.optional());

/** What good images score, and the settings that this holds for. */
export type Calibration = z.infer<typeof calibrationSchema>;

/** Fractions of good pixels whose scores are kept. */
const pixelFractions = [
  ...[0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001],
  ...[5e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5],
];

/** What was found in a held-out good image; `Inspection` is one. */
export type HeldOutInspection = { readonly score: number; readonly map: Float32Array };

/**
 * A calibration by what held-out good images gave under a configuration. Of a map no more is kept than `ScoreCounts` does.
 *
 * @param scales that the distances were divided by.
 * @param likeness of the same images.
 * @throws DataError when there are fewer than two.
 * @throws RangeError when a score is not a finite number, or a scale is nothing to divide by.
 */
export async function buildCalibration(
  config: Config,
  inspections: AsyncIterable<HeldOutInspection> | Iterable<HeldOutInspection>,
  scales?: DistanceScales,
  likeness?: Likeness,
): Promise<Calibration> {
  const scores: number[] = [];
  const pixels = new ScoreCounts();
  for await (const { score, map } of inspections) {
    scores.push(score);
    pixels.add(map);
  }
  checkScoreCount(scores);
  const wrong = scores.find((score) => !Number.isFinite(score));
  if (wrong !== undefined) {
    throw new RangeError(
      `calibration: a held-out good image scores ${wrong}: the weights contain NaN or Infinity, or values too large.`,
    );
  }
  for (const [name, scale] of Object.entries(scales ?? {})) {
    if (scale === undefined || (scale > 0 && Number.isFinite(scale))) continue;
    throw new RangeError(
      `calibration: the largest ${name} distances of held-out good images are ${scale} in the mean, which nothing can be divided by.`,
    );
  }
  const { falseAlarmRate: _, pixelFalseAlarmRate: __, ...detection } = config.detection;
  const features = { network: config.features.network };
  return {
    ...(scales && { scales }),
    scores: scores.sort((a, b) => a - b),
    pixels: pixelFractions.map((fraction) => ({ fraction, score: pixels.reachedBy(fraction) })),
    ...(likeness && { likeness }),
    precision: config.precision,
    features,
    sampling: config.sampling,
    detection,
    ...(config.method === "patchcore" && { patchcore: { neighbours: config.patchcore.neighbours } }),
  };
}

/** Settings of a configuration that differ from those of the calibration, as `sampling.guidance 4 (calibrated: 2)`. */
export function calibrationDifferences(calibration: Calibration, config: Config): string[] {
  // What a calibration does not depend on is not in it; what it was made without, such as `sampling.steps`, may be set now.
  const paths = boundSettings("calibration").filter(
    (path) => config.method === "patchcore" || !path.startsWith("patchcore."),
  );
  return describeChanges(paths, config, calibration, "calibrated");
}

/**
 * The score from which on a pixel is called defective, such that a fraction `rate` of the pixels of good images is: between
 * the fractions that are kept by the logarithm of the fraction, beyond them the last one.
 */
export function pixelThreshold({ pixels }: Calibration, rate: number): number {
  const after = pixels.findIndex(({ fraction }) => fraction <= rate);
  if (after < 0) return pixels.at(-1)!.score;
  const [a, b] = [pixels[Math.max(after - 1, 0)]!, pixels[after]!];
  if (a === b) return b.score;
  const part = Math.log(rate / a.fraction) / Math.log(b.fraction / a.fraction);
  return a.score + part * (b.score - a.score);
}
