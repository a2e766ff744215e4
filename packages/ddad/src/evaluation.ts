/** How well defects are found in pictures of which it is known whether they have any. */
import type { Calibration } from "./calibration.ts";
import { falseAlarmThreshold } from "./calibration.ts";
import type { Config } from "./config.ts";
import type { ImageSet } from "./datasets/imageSet.ts";
import type { Denoiser } from "./denoiser.ts";
import { type Inspection, inspect } from "./detection.ts";
import { cropRange } from "./distance.ts";
import { aupro } from "./metrics/aupro.ts";
import { auroc, averagePrecision, f1Max, rocCurve } from "./metrics/curves.ts";
import type { EvaluationResult } from "./report/results.ts";

/** A picture whose truth is known. */
export type LabelledPicture = {
  readonly id: string;
  readonly label: 0 | 1;
  /** "good" or the kind of defect. */
  readonly kind: string;
};

export type TestSet = {
  readonly dataset: string;
  readonly category: string;
  readonly samples: readonly LabelledPicture[];
  readonly images: ImageSet;
  /** Ground truth `[size · size]` of every sample, where the data has it. */
  readonly masks?: readonly Uint8Array[];
};

export type ScoredPicture = LabelledPicture & { readonly score: number };

/** How well one kind of defect is told from good pictures. */
export type KindResult = {
  readonly kind: string;
  readonly images: number;
  readonly auroc: number;
  /** Share of them above the threshold. */
  readonly detected: number;
};

export type Evaluation = {
  readonly result: EvaluationResult;
  readonly kinds: readonly KindResult[];
  /** Share of the good test pictures at or above the threshold. */
  readonly falseAlarms: number;
  readonly scores: readonly ScoredPicture[];
};

export type EvaluationOptions = {
  readonly calibration?: Calibration | undefined;
  /** Told after every picture. */
  readonly progress?: (done: number, count: number) => void;
  /** Given every inspection, in order, such as to draw it. */
  readonly observe?: (inspection: Inspection, index: number) => void;
};

/** Inspects a test set picture by picture and measures the scores and maps against the truth. */
export async function evaluateDetection(
  denoiser: Denoiser,
  config: Config,
  test: TestSet,
  { calibration, progress, observe }: EvaluationOptions = {},
): Promise<Evaluation> {
  const { samples, images } = test;
  const scores: number[] = [];
  const maps: Float32Array[] = [];
  const milliseconds: number[] = [];
  let started = performance.now();
  const ids = samples.map(({ id }) => id);
  for await (const inspection of inspect(denoiser, config, { images, ids }, calibration)) {
    milliseconds.push(performance.now() - started);
    observe?.(inspection, scores.length);
    scores.push(inspection.score);
    if (test.masks) maps.push(inspection.map);
    progress?.(scores.length, samples.length);
    started = performance.now();
  }
  const labels = samples.map(({ label }) => label);
  const threshold =
    calibration === undefined
      ? youdenThreshold(labels, scores)
      : falseAlarmThreshold(calibration.scores, config.detection.falseAlarmRate);
  const masks = test.masks?.map((mask) => cropMask(mask, images.size, config.detection.crop));
  const scored = samples.map(({ id, label, kind }, i) => ({ id, label, kind, score: scores[i]! }));
  return {
    result: {
      protocol: config.protocol,
      dataset: test.dataset,
      category: test.category,
      images: samples.length,
      image: {
        auroc: auroc(labels, scores),
        ap: averagePrecision(labels, scores),
        f1Max: f1Max(labels, scores).f1,
      },
      ...(masks && { pixel: pixelMetrics(maps, masks) }),
      threshold,
      msPerImage: { p50: quantile(milliseconds, 0.5), p95: quantile(milliseconds, 0.95) },
    },
    kinds: kindResults(scored, threshold),
    falseAlarms: shareAbove(
      scored.filter(({ label }) => label === 0),
      threshold,
    ),
    scores: scored,
  };
}

function pixelMetrics(
  maps: readonly Float32Array[],
  masks: readonly Uint8Array[],
): NonNullable<EvaluationResult["pixel"]> {
  const scores = Float32Array.from({ length: maps.length * maps[0]!.length });
  const labels = new Uint8Array(scores.length);
  maps.forEach((map, i) => {
    scores.set(map, i * map.length);
    labels.set(masks[i]!, i * map.length);
  });
  return {
    auroc: auroc(labels, scores),
    ap: averagePrecision(labels, scores),
    aupro30: aupro(maps, masks, { limit: 0.3 }),
    aupro05: aupro(maps, masks, { limit: 0.05 }),
  };
}

/** The part of a mask that a cropped map shows; what lies outside the picture is good. */
export function cropMask(mask: Uint8Array, size: number, crop: number): Uint8Array {
  if (crop === 0) return mask;
  const { start, before } = cropRange(size, crop);
  return Uint8Array.from({ length: crop * crop }, (_, i) => {
    const x = (i % crop) + start - before;
    const y = Math.floor(i / crop) + start - before;
    return x >= 0 && y >= 0 && x < size && y < size ? mask[y * size + x]! : 0;
  });
}

/** The published choice, made on the test set itself: the first score at which tpr − fpr is largest. */
function youdenThreshold(labels: readonly number[], scores: readonly number[]): number {
  const points = rocCurve(labels, scores);
  const gain = points.map(({ truePositiveRate, falsePositiveRate }) => truePositiveRate - falsePositiveRate);
  return points[gain.indexOf(Math.max(...gain))]!.threshold;
}

function kindResults(scored: readonly ScoredPicture[], threshold: number): KindResult[] {
  const good = scored.filter(({ label }) => label === 0);
  const kinds = [...new Set(scored.filter(({ label }) => label === 1).map(({ kind }) => kind))];
  return kinds.map((kind) => {
    const defective = scored.filter((sample) => sample.label === 1 && sample.kind === kind);
    const both = [...good, ...defective];
    return {
      kind,
      images: defective.length,
      auroc: auroc(
        both.map(({ label }) => label),
        both.map(({ score }) => score),
      ),
      detected: shareAbove(defective, threshold),
    };
  });
}

const shareAbove = (scored: readonly ScoredPicture[], threshold: number): number =>
  scored.filter(({ score }) => score >= threshold).length / scored.length;

/** The smallest value that at least a share `q` of the values do not exceed. */
function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(Math.ceil(q * sorted.length) - 1, 0)]!;
}
