/**
 * What good images score: fixed once on held-out good images, so that the score of an image depends on no other
 * image that happens to be inspected with it.
 */
import * as z from "zod";
import { boundSection, boundSettings, describeChanges } from "../config/binding.ts";
import { translateRenamed } from "../config/renamed.ts";
import { type Config, configSchema } from "../config/schema.ts";
import { isRecord, mergeConfig } from "../config/settings.ts";
import { ScoreCounts } from "../metrics/scoreCounts.ts";
import { chosenSchema } from "./choose/chosen.ts";
import type { DistanceScales } from "./distance.ts";
import { checkScoreCount } from "./falseAlarms.ts";
import { type Likeness, likenessSchema } from "./likeness.ts";
import { channelStatisticsSchema } from "./whitening.ts";

/** The sections of settings that a calibration holds for, as the table of settings says. */
const kept = {
  features: boundSection("calibration", "features") as z.ZodType<CalibratedFeatures>,
  sampling: boundSection("calibration", "sampling"),
  detection: boundSection("calibration", "detection") as z.ZodType<CalibratedDetection>,
  nearest: boundSection("calibration", "nearest"),
  patchcore: boundSection("calibration", "patchcore") as z.ZodType<Pick<Config["patchcore"], "neighbours">>,
};

type CalibratedFeatures = Pick<Config["features"], "network" | "imageSize">;
type CalibratedDetection = Omit<Config["detection"], "falseAlarmRate" | "pixelFalseAlarmRate">;

/** What a calibration must be, as zod's schema; it checks those that come from files. */
export const calibrationSchema = z.strictObject({
  /** What each distance is divided by: its largest value in a good image, in the mean. PatchCore divides nothing. */
  scales: z
    .strictObject({
      pixel: z.number().positive(),
      feature: z.number().positive().optional(),
      layer1: z.number().positive().optional(),
      layer2: z.number().positive().optional(),
      layer3: z.number().positive().optional(),
    })
    .optional(),
  /** By layer, how features of good images differ from those of what they are compared with; where that is taken off. */
  whitening: z
    .strictObject({
      layer1: channelStatisticsSchema.optional(),
      layer2: channelStatisticsSchema.optional(),
      layer3: channelStatisticsSchema.optional(),
    })
    .optional(),
  /** Where two ways of telling defects are added up: what each map, and PatchCore's score, is divided by. */
  combined: z
    .strictObject({
      patchCoreMap: z.number().positive(),
      patchCoreScore: z.number().positive(),
      nearestMap: z.number().positive(),
    })
    .optional(),
  /** Image scores of the held-out good images, rising. */
  scores: z.array(z.number()).min(2),
  /** Scores that a fraction of the pixels of these images reaches, the fractions falling. */
  pixels: z.array(z.strictObject({ fraction: z.number().positive(), score: z.number() })).min(1),
  /** What these images look like as a whole; without it no image is called unlike them. */
  likeness: likenessSchema.optional(),
  /** Where the settings were chosen without labels: how, and what else was tried. */
  chosen: chosenSchema.optional(),
  /** Settings that all of it holds for. */
  precision: configSchema.shape.precision.default("f32"),
  features: kept.features,
  sampling: kept.sampling,
  detection: kept.detection,
  /** Where an image is compared with, or reconstructed from, the nearest good one. */
  nearest: kept.nearest.optional(),
  /** Of PatchCore alone. */
  patchcore: kept.patchcore.optional(),
});

/** What version 0.1 did where it had no setting. */
const before = {
  features: { imageSize: 0 },
  sampling: { draws: 1, from: "self" },
  detection: { distance: "cosine" },
};

/** A calibration as a file of an earlier version may have it, as today's: under other names, or with a likeness of other numbers. */
function withCurrentNames(stored: unknown): unknown {
  if (!isRecord(stored)) return stored;
  const { settings: renamed } = translateRenamed(stored);
  const { likeness, ...others } = renamed;
  // Without limits it has too few numbers: then no image is called unlike, which `describeMissingLikeness` says.
  const settings = isRecord(likeness) && !("limits" in likeness) ? others : renamed;
  const complete = mergeConfig(before, settings);
  const { pixels } = complete;
  if (!Array.isArray(pixels)) return complete;
  return {
    ...complete,
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

/** What maps and scores are divided by before they are added up. */
export type CombinedScales = NonNullable<Calibration["combined"]>;

/** What a calibration keeps beside scores. */
export type CalibrationConstants = {
  readonly scales?: DistanceScales | undefined;
  readonly whitening?: Calibration["whitening"];
  readonly combined?: CombinedScales | undefined;
  readonly likeness?: Likeness | undefined;
};

/**
 * A calibration by what held-out good images gave under a configuration. Of a map no more is kept than `ScoreCounts` does.
 *
 * @param constants scales that the distances were divided by, what residuals were whitened by, the likeness of the same images.
 * @throws DataError when there are fewer than two.
 * @throws RangeError when a score is not a finite number, or a scale is nothing to divide by.
 */
export async function buildCalibration(
  config: Config,
  inspections: AsyncIterable<HeldOutInspection> | Iterable<HeldOutInspection>,
  { scales, whitening, combined, likeness }: CalibrationConstants = {},
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
  const { network, imageSize } = config.features;
  return {
    ...(scales && { scales }),
    ...(whitening && { whitening }),
    ...(combined && { combined }),
    scores: scores.sort((a, b) => a - b),
    pixels: pixelFractions.map((fraction) => ({ fraction, score: pixels.reachedBy(fraction) })),
    ...(likeness && { likeness }),
    precision: config.precision,
    features: { network, imageSize },
    sampling: config.sampling,
    detection,
    ...(fromGoodImages(config) && { nearest: config.nearest }),
    ...(usesPatches(config) && { patchcore: { neighbours: config.patchcore.neighbours } }),
  };
}

/** Whether an image is compared with, or reconstructed from, the nearest good one. */
export const fromGoodImages = ({ method, sampling }: Pick<Config, "method" | "sampling">): boolean =>
  method === "nearest" ||
  method === "patchcore+nearest" ||
  (method === "ddad" && sampling.from === "nearest");

const usesPatches = ({ method }: Config): boolean => method !== "ddad" && method !== "nearest";

/** Settings of a configuration that differ from those of the calibration, as `sampling.guidance 4 (calibrated: 2)`. */
export function calibrationDifferences(calibration: Calibration, config: Config): string[] {
  // What a calibration does not depend on is not in it; what it was made without, such as `sampling.steps`, may be set now.
  const paths = boundSettings("calibration").filter(
    (path) =>
      (usesPatches(config) || !path.startsWith("patchcore.")) &&
      (fromGoodImages(config) || !path.startsWith("nearest.")),
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
