/** Inspection of image files with a model. */
import { join } from "node:path";
import {
  type Calibration,
  type Config,
  type Decision,
  type DefectRegion,
  describeExtrapolation,
  describeMissingLikeness,
  drawInspection,
  encodeNpy,
  falseAlarmThreshold,
  type ImageFile,
  type Inspection,
  type Model,
  markDefects,
  regionsOfMask,
  unlikenessOf,
} from "@ddad/ddad/internal";
import { notice, progress, type StageOptions } from "../events.ts";
import { writeWhole } from "../files.ts";
import { writeImage } from "../images/png.ts";
import { openDetector } from "../model/detector.ts";
import { openDevice } from "../openDevice.ts";
import { colorRange, describeNotFinite, mapRange } from "./images.ts";
import { type ReadImage, readAhead } from "./readAhead.ts";

/** Options of `predict`. */
export interface PredictOptions extends StageOptions {
  /** Folder for an overlay and a map of each image. */
  readonly out: string;
  /** Fraction of good images that may be called defective. Default: that of the model. */
  readonly falseAlarmRate?: number | undefined;
  /** Score from which on an image is defective. Default: that of the false-alarm rate. */
  readonly threshold?: number | undefined;
  /** Largest side of an overlay in pixels; 0 writes none. Default 1600. */
  readonly overlaySize?: number | undefined;
  /** Whether maps are written. Default true. */
  readonly maps?: boolean | undefined;
}

/** What was found in one image. */
export interface InspectedPrediction {
  /** Path of the image. */
  readonly file: string;
  /** Anomaly score: the largest value of the map; PatchCore's own rule there. */
  readonly score: number;
  /** Null where there is no threshold: the model is not calibrated. */
  readonly decision: Decision | null;
  /** Marked parts of the image, in its own pixels: at least one of a defective image, none of any other. */
  readonly regions: readonly DefectRegion[];
  /** Why the image is unlike the training images, where it is. */
  readonly unlike?: string;
  /** Path of the overlay, PNG, relative to the folder of results; null where none was asked for. */
  readonly overlay: string | null;
  /** The map as it was computed, float32, `.npy`, relative to the folder of results; null where none was asked for. */
  readonly map: string | null;
}

/** An image that could not be inspected, and why. */
export interface FailedPrediction {
  /** Path of the image. */
  readonly file: string;
  /** One sentence. */
  readonly error: string;
}

/** What became of one image: a result, or an error. */
export type Prediction = InspectedPrediction | FailedPrediction;

/** How a model decides; null where it is not calibrated. */
export interface Thresholds {
  readonly threshold: number | null;
  readonly pixelThreshold: number | null;
}

/** What decides, where it is not what the model says. */
export type DecisionOptions = Pick<PredictOptions, "falseAlarmRate" | "threshold">;

/** The settings and thresholds of a model, at the false-alarm rate or the threshold that was asked for. */
export function thresholdsOf(
  { config: stored, calibration }: Model,
  { falseAlarmRate = stored.detection.falseAlarmRate, threshold: asked }: DecisionOptions = {},
): Thresholds & { readonly config: Config; readonly calibration: Calibration | undefined } {
  const config = { ...stored, detection: { ...stored.detection, falseAlarmRate } };
  const threshold = asked ?? (calibration ? falseAlarmThreshold(calibration.scores, falseAlarmRate) : null);
  return {
    config,
    calibration,
    threshold,
    pixelThreshold: mapRange(calibration, config).thresholds?.pixel ?? threshold,
  };
}

/**
 * Inspects image files one after another, and writes an overlay and a map of each. No more than two images are held, so that
 * a folder may be of any size. A file that cannot be inspected gives a `FailedPrediction`, and the others follow.
 *
 * @param model as `openModel` gives it
 * @param files as `findInputs` finds them; they may come one after the other, too
 * @param options the folder of results, and what decides where it is not the model
 * @returns a prediction for each file, in their order, each after its overlay and map are written
 * @throws DataError where a result cannot be written, or the weights of the extractor are nowhere
 * @throws the reason of the signal, after the image that is inspected then
 */
export async function* predict(
  model: Model,
  files: Iterable<ImageFile> | AsyncIterable<ImageFile>,
  options: PredictOptions,
): AsyncGenerator<Prediction> {
  const { onEvent, signal, overlaySize = 1600 } = options;
  const decided = thresholdsOf(model, options);
  const { config, calibration } = decided;
  await openDevice(options);
  using detector = await openDetector(model, config);
  if (options.threshold === undefined) tellDecision(config, calibration, options);
  const told = progress(options, "inspecting", "images");
  const count = Array.isArray(files) ? files.length : undefined;
  let done = 0;
  const finished = (prediction: Prediction, id: string): Prediction => {
    if ("error" in prediction) onEvent?.({ type: "failed", id, message: prediction.error });
    told.update(++done, count);
    return prediction;
  };
  const { source, next } = readAhead(files, {
    size: config.data.imageSize,
    orientation: config.data.orientation,
    largest: overlaySize,
    onNotice: (message) => notice(options, message),
    signal,
  });
  for await (const inspection of detector.inspect(source, calibration)) {
    for (let read = next(); read; read = next()) {
      if ("error" in read) {
        yield finished({ file: read.path, error: read.error }, read.id);
        continue;
      }
      const { id, score, milliseconds } = inspection;
      const prediction = concluded(read, inspection, decided, options);
      onEvent?.({ type: "inspected", id, score, milliseconds });
      if ("decision" in prediction && prediction.decision !== null) {
        const { decision } = prediction;
        onEvent?.({ type: "verdict", id, decision, score, threshold: decided.threshold! });
      }
      yield finished(prediction, id);
      break;
    }
    signal?.throwIfAborted();
  }
  for (let read = next(); read; read = next()) {
    if ("error" in read) yield finished({ file: read.path, error: read.error }, read.id);
  }
}

/** The files of an image's results, relative to their folder. */
export function resultNames(id: string): { readonly overlay: string; readonly map: string } {
  const name = id.replace(/\.png$/, "");
  return { overlay: `${name}-overlay.png`, map: `${name}-map.npy` };
}

/** Decides about one image, and writes what belongs to it. */
function concluded(
  { id, path: file, image, width, height, description }: ReadImage,
  { score, map, mapSize }: Inspection,
  { config, calibration, threshold, pixelThreshold }: ReturnType<typeof thresholdsOf>,
  { out, overlaySize = 1600, maps = true }: PredictOptions,
): Prediction {
  if (!Number.isFinite(score)) return { file, error: describeNotFinite(score, config) };
  const unlike = calibration && unlikenessOf(config, calibration, description, score);
  const byScore = threshold === null ? null : score >= threshold ? "defective" : "good";
  const decision = byScore !== null && unlike !== undefined ? "unlike" : byScore;
  const thresholds = { image: threshold ?? Infinity, pixel: pixelThreshold ?? Infinity };
  const marked = markDefects(map, decision === "defective", thresholds);
  const place = { mapSize, size: config.data.imageSize, width, height };
  const regions = regionsOfMask(map, marked, place);
  const { overlay, map: mapFile } = resultNames(id);
  const range = colorRange(threshold);
  const caption = captionOf({ score, threshold, decision, unlike });
  if (image) {
    const drawn = drawInspection(image, { ...place, map, marked, regions, range, decision, caption });
    writeImage(join(out, overlay), drawn);
  }
  if (maps) writeWhole(join(out, mapFile), encodeNpy(map, [mapSize, mapSize]));
  return {
    file,
    score,
    decision,
    regions,
    ...(decision === "unlike" && { unlike: unlike! }),
    overlay: overlaySize > 0 ? overlay : null,
    map: maps ? mapFile : null,
  };
}

function captionOf(found: {
  readonly score: number;
  readonly threshold: number | null;
  readonly decision: Decision | null;
  readonly unlike: string | undefined;
}): string {
  const { score, threshold, decision, unlike } = found;
  if (decision === null) return `score ${score.toPrecision(4)}, no threshold`;
  if (decision === "unlike") return `unlike the training images: ${unlike}`;
  return `${decision}: score ${score.toPrecision(4)}, threshold ${threshold!.toPrecision(4)}`;
}

function tellDecision(config: Config, calibration: Calibration | undefined, options: PredictOptions): void {
  if (calibration) {
    const { falseAlarmRate } = config.detection;
    const setting = options.falseAlarmRate === undefined ? undefined : "--false-alarm-rate";
    const extrapolation = describeExtrapolation(calibration.scores.length, falseAlarmRate, setting);
    if (extrapolation !== undefined) notice(options, extrapolation);
    const missing = describeMissingLikeness(calibration);
    if (missing !== undefined) notice(options, missing);
    return;
  }
  const cure =
    config.protocol === "paper"
      ? "The paper's protocol has no threshold but that of a test set; --threshold sets one."
      : "Run ddad calibrate to get a threshold, or set one by --threshold.";
  notice(options, `The model is not calibrated: scores only, no decisions. ${cure}`);
}
