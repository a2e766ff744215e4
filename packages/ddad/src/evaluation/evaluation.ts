/** How well defects are found in images of which it is known whether they have any. */
import { currentDevice } from "@ddad/nn";
import type { Config } from "../config/schema.ts";
import type { ImageSet } from "../data/imageSet.ts";
import type { Calibration } from "../detection/calibration.ts";
import { falseAlarmThreshold } from "../detection/falseAlarms.ts";
import { type Detector, type Inspection, inspect } from "../detection/inspect.ts";
import { DataError } from "../errors.ts";
import {
  type BootstrapOptions,
  bootstrapDefaults,
  imageIntervals,
  percentileInterval,
  resampleImages,
} from "../metrics/bootstrap.ts";
import { auroc, averagePrecision, f1Max } from "../metrics/curves.ts";
import type { PixelAreas } from "../metrics/pixelSweep.ts";
import { presorting } from "../metrics/presorting.ts";
import { ProtocolPixels } from "../metrics/protocolPixels.ts";
import { youdenThreshold } from "../metrics/published.ts";
import { countedRate } from "../report/decisions.ts";
import {
  calibrationImages,
  hashCalibration,
  hashTestSet,
  type Normaliser,
  protocolBlock,
} from "../report/protocol.ts";
import type { ControlResult, EvaluationResult, KindResult, ResultIntervals } from "../report/results.ts";
import { type ControlOptions, evaluateControls } from "./controls/controls.ts";

export { cropMask } from "../metrics/protocolPixels.ts";

/** An image whose truth is known. */
export type LabelledImage = {
  readonly id: string;
  readonly label: 0 | 1;
  /** "good" or the kind of defect. */
  readonly kind: string;
};

/** Images of which the truth is known, and that truth. */
export type TestSet = {
  readonly dataset: string;
  readonly category: string;
  readonly samples: readonly LabelledImage[];
  readonly images: ImageSet;
  /** Ground truth `[size · size]` of every sample, where the data has it; what is not 0 is defective. */
  readonly masks?: readonly Uint8Array[];
  /** The masks as the paper's protocol measures them: 0 … 255, resized with antialiasing. */
  readonly coverage?: readonly Uint8Array[];
  /** SHA-256 of the file that divides training, calibration and test, where there is one. */
  readonly split?: string;
  /** SHA-256 of the files of images and masks, where they come from files. */
  readonly files?: string;
};

/** A test image with its image score. */
export type ScoredImage = LabelledImage & { readonly score: number };

/** What an evaluation found: the result that is stored, and the scores behind it. */
export type Evaluation = {
  readonly result: EvaluationResult;
  readonly kinds: readonly KindResult[];
  /** Fraction of the good test images at or above the threshold. */
  readonly falseAlarms: number;
  readonly scores: readonly ScoredImage[];
};

/** What an evaluation needs beside the images, and whom it tells. */
export type EvaluationOptions = {
  /** What the threshold comes from; only the paper's protocol does without, and picks it on the test set. */
  readonly calibration?: Calibration | undefined;
  /** Optimiser steps behind the extractor, where it was adapted; for the protocol block. */
  readonly adaptedSteps?: number | undefined;
  /** Whether the network was trained elsewhere; for the protocol block. */
  readonly imported?: boolean | undefined;
  /** What scores without a network reach on the same images, as `evaluateControls` measures it. */
  readonly controls?: readonly ControlResult[] | undefined;
  /** Of the intervals. */
  readonly bootstrap?: BootstrapOptions;
  /** Told after every image. */
  readonly progress?: (done: number, count: number) => void;
  /** Given every inspection, in order, such as to draw it. */
  readonly observe?: (inspection: Inspection, index: number) => void;
};

/**
 * Inspects a test set image by image and measures the scores and maps against the truth, and controls beside them.
 *
 * @param options `good`: good images for the controls, see `evaluateControls`; `controls` where they were measured before.
 */
export async function evaluateDetection(
  detector: Detector,
  test: TestSet,
  options: Omit<EvaluationOptions, "calibration"> & Pick<ControlOptions, "good"> = {},
): Promise<Evaluation> {
  const { config, calibration } = detector;
  const { good, bootstrap } = options;
  const controls = options.controls ?? (await evaluateControls(config, test, { good, bootstrap }));
  const ids = test.samples.map(({ id }) => id);
  return evaluateInspections(inspect(detector, { images: test.images, ids }), config, test, {
    ...options,
    controls,
    calibration,
    device: currentDevice().name,
    normaliser: normaliserOf(detector, options.imported),
  });
}

/** What a detector divides its distances by. @param imported whether its network was trained elsewhere. */
export function normaliserOf(
  { config, calibration, extractor }: Pick<Detector, "config" | "calibration" | "extractor">,
  imported = false,
): Normaliser {
  if (calibration) return `constants calibrated on ${calibrationImages(imported)}`;
  return config.protocol === "paper" && extractor ? "maxima of the batch" : "none";
}

/** The same for inspections that were made elsewhere. */
export type InspectionOptions = EvaluationOptions & {
  /** The adapter that inspects, to be named in the result. */
  readonly device?: string;
  /** What the inspections were divided by; without it what follows from whether there is a calibration. */
  readonly normaliser?: Normaliser;
};

/**
 * Measures inspections, whatever made them, against the truth. Of a map only what the metrics need is kept, see
 * `PixelMetrics`.
 *
 * @param inspections of the test images, in their order.
 * @throws DataError when no mask has a defective pixel, or the strict protocol lacks its calibration.
 * @throws RangeError when inspections and images do not match, a score is not a number, or a class is missing.
 */
export async function evaluateInspections(
  inspections: AsyncIterable<Inspection> | Iterable<Inspection>,
  config: Config,
  test: TestSet,
  options: InspectionOptions = {},
): Promise<Evaluation> {
  const { calibration, adaptedSteps, imported, controls, progress, observe, bootstrap, device } = options;
  if (config.protocol === "strict" && calibration === undefined) {
    throw new DataError(
      "The strict protocol takes its threshold from held-out good images, never from the test set: give a calibration, or evaluate by the protocol paper.",
    );
  }
  const { samples, images, masks, coverage } = test;
  const begun = performance.now();
  const pixels =
    masks &&
    new ProtocolPixels(config.protocol, { size: images.size, masks, coverage }, config.detection.crop);
  const scores: number[] = [];
  const milliseconds: number[] = [];
  let scoredSize = images.size;
  let started = performance.now();
  for await (const inspection of inspections) {
    milliseconds.push(inspection.milliseconds ?? performance.now() - started);
    checkInspection(inspection, samples, scores.length);
    observe?.(inspection, scores.length);
    pixels?.add(inspection.map, scores.length, inspection.mapSize);
    scores.push(inspection.score);
    scoredSize = inspection.mapSize;
    progress?.(scores.length, samples.length);
    started = performance.now();
  }
  if (scores.length < samples.length) {
    throw new RangeError(`evaluation: ${samples.length} test images, but ${scores.length} inspections.`);
  }
  const labels = samples.map(({ label }) => label);
  const threshold =
    calibration === undefined
      ? youdenThreshold(labels, scores)
      : falseAlarmThreshold(calibration.scores, config.detection.falseAlarmRate);
  const scored = samples.map(({ id, label, kind }, i) => ({ id, label, kind, score: scores[i]! }));
  const kinds = [...new Set(samples.filter(({ label }) => label === 1).map(({ kind }) => kind))];
  const kindWeightings = kinds.map((name) =>
    samples.map(({ label, kind }) => Number(label === 0 || kind === name)),
  );
  const drawing = { ...bootstrapDefaults, ...bootstrap };
  const found = pixels?.result([...kindWeightings, ...resampleImages(labels, drawing)]);
  const kindAreas = found?.weighted.slice(0, kinds.length);
  const resampledAreas = found?.weighted.slice(kinds.length);
  const kindResults = kinds.map((kind, i) => kindResult(scored, kind, threshold, kindAreas?.[i]));
  const result: EvaluationResult = {
    protocol: config.protocol,
    dataset: test.dataset,
    category: test.category,
    images: samples.length,
    image: {
      auroc: auroc(labels, scores),
      ap: averagePrecision(labels, scores),
      f1Max: f1Max(labels, scores).f1,
    },
    ...(found && { pixel: found.pixel }),
    threshold,
    msPerImage: { p50: quantile(milliseconds, 0.5), p95: quantile(milliseconds, 0.95) },
    ...(found?.exact && { exact: found.exact }),
    intervals: {
      level: drawing.level,
      image: imageIntervals(labels, scores, drawing),
      ...pixelIntervals(resampledAreas, drawing.level),
    },
    kinds: kindResults,
    decisions: {
      falseAlarms: countAbove(scored, 0, threshold, drawing.level),
      found: countAbove(scored, 1, threshold, drawing.level),
    },
    presorting: presorting(labels, scores),
    ...(controls && { controls: [...controls] }),
    protocolBlock: protocolBlock(config, {
      dataset: test.dataset,
      category: test.category,
      images: samples.length,
      good: samples.filter(({ label }) => label === 0).length,
      sha256: await hashTestSet(test),
      split: test.split,
      files: test.files,
      scored: scoredSize,
      masks: pixels?.rule,
      normaliser: options.normaliser ?? normaliserOf({ config, calibration }, imported),
      heldOutScores: calibration?.scores.length,
      calibration: calibration && (await hashCalibration(calibration)),
      chosenOn: calibration?.chosen?.on,
      imported,
      adaptedSteps,
      bootstrap: drawing,
      device,
      seconds: (performance.now() - begun) / 1000,
    }),
  };
  const good = scored.filter(({ label }) => label === 0);
  return { result, kinds: kindResults, falseAlarms: fractionAbove(good, threshold), scores: scored };
}

/** Found at once, not by the metrics at the end. */
function checkInspection({ id, score }: Inspection, samples: readonly LabelledImage[], index: number): void {
  const expected = samples[index]?.id ?? "the end";
  if (id !== expected) {
    throw new RangeError(
      `evaluation: inspections must come in the order of the test images, but instead of ${expected} came ${id}.`,
    );
  }
  if (Number.isNaN(score)) throw new RangeError(`evaluation: the score of ${id} is not a number.`);
}

function kindResult(
  scored: readonly ScoredImage[],
  kind: string,
  threshold: number,
  areas: PixelAreas | undefined,
): KindResult {
  const defective = scored.filter((sample) => sample.label === 1 && sample.kind === kind);
  const both = [...scored.filter(({ label }) => label === 0), ...defective];
  return {
    kind,
    images: defective.length,
    auroc: auroc(
      both.map(({ label }) => label),
      both.map(({ score }) => score),
    ),
    detected: fractionAbove(defective, threshold),
    ...(areas && { pixel: { auroc: areas.auroc, aupro30: areas.aupro[0]! } }),
  };
}

function pixelIntervals(
  resampled: readonly (PixelAreas | undefined)[] | undefined,
  level: number,
): Pick<ResultIntervals, "pixel"> {
  const areas = resampled?.filter((area) => area !== undefined) ?? [];
  // An interval over some of the resamples would pass for one over all.
  if (areas.length === 0 || areas.length !== resampled?.length) return {};
  const interval = (value: (area: PixelAreas) => number) => percentileInterval(areas.map(value), level);
  return {
    pixel: {
      auroc: interval((area) => area.auroc),
      aupro30: interval(({ aupro }) => aupro[0]!),
      aupro05: interval(({ aupro }) => aupro[1]!),
    },
  };
}

const fractionAbove = (scored: readonly ScoredImage[], threshold: number): number =>
  scored.filter(({ score }) => score >= threshold).length / scored.length;

/** How many images of a class are called defective. */
function countAbove(scored: readonly ScoredImage[], label: 0 | 1, threshold: number, level: number) {
  const members = scored.filter((sample) => sample.label === label);
  return countedRate(members.filter(({ score }) => score >= threshold).length, members.length, level);
}

/** The smallest value that at least a fraction `q` of the values do not exceed. */
function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(Math.ceil(q * sorted.length) - 1, 0)]!;
}
