/** Inspection of image files with a model. */
import { join } from "node:path";
import {
  type Calibration,
  type Config,
  type DefectRegion,
  defectRegions,
  describeExtrapolation,
  encodeNpy,
  falseAlarmThreshold,
  type ImageFile,
  imageAt,
  type Model,
  outlineMask,
  overlayHeat,
} from "@ddad/ddad/internal";
import { setupDevice } from "@ddad/nn";
import { loadImages } from "../datasets/load.ts";
import { notice, progress, type StageOptions } from "../events.ts";
import { writeWhole } from "../files.ts";
import { writeImage } from "../images/png.ts";
import { openDetector } from "../model/detector.ts";
import { mapRange, shownBy } from "./images.ts";

/** Options of `predict`. */
export interface PredictOptions extends StageOptions {
  /** Folder for an overlay and a map of each image. */
  readonly out: string;
  /** Fraction of good images that may be called defective. Default: that of the model. */
  readonly falseAlarmRate?: number | undefined;
}

/** What was found in one image. */
export interface Prediction {
  /** Path of the image. */
  readonly file: string;
  /** Anomaly score: the largest value of the map. */
  readonly score: number;
  /** Null where the model is not calibrated. */
  readonly decision: "good" | "defective" | null;
  /** Marked parts of the image, in its own pixels; none where the model is not calibrated. */
  readonly regions: readonly DefectRegion[];
  /** Path of the overlay, PNG. */
  readonly overlay: string;
  /** The map as it was computed, float32, `.npy`. */
  readonly map: string;
}

/** How a model decides; null where it is not calibrated. */
export interface Thresholds {
  readonly threshold: number | null;
  readonly pixelThreshold: number | null;
}

/** The settings and thresholds of a model, at the false-alarm rate that was asked for. */
export function thresholdsOf(
  { config: stored, calibration }: Model,
  falseAlarmRate = stored.detection.falseAlarmRate,
): Thresholds & { readonly config: Config; readonly calibration: Calibration | undefined } {
  const config = { ...stored, detection: { ...stored.detection, falseAlarmRate } };
  const threshold = calibration ? falseAlarmThreshold(calibration.scores, falseAlarmRate) : null;
  return {
    config,
    calibration,
    threshold,
    pixelThreshold: mapRange(calibration, config).pixelThreshold ?? null,
  };
}

/**
 * Inspects image files one after another, and writes an overlay and a map of each.
 *
 * @throws DataError naming every file that cannot be read
 */
export async function* predict(
  model: Model,
  files: readonly ImageFile[],
  options: PredictOptions,
): AsyncGenerator<Prediction> {
  const { out, onEvent, signal } = options;
  const { config, calibration, threshold, pixelThreshold } = thresholdsOf(model, options.falseAlarmRate);
  const loading = progress(options, "images", "images");
  const size = config.data.imageSize;
  const sizes: { width: number; height: number }[] = [];
  const images = await loadImages(files, size, {
    orientation: config.data.orientation,
    onNotice: (message) => notice(options, message),
    progress: (done, count, image) => {
      signal?.throwIfAborted();
      if (image) sizes.push({ width: image.width, height: image.height });
      loading.update(done, count);
    },
  });
  await setupDevice();
  using detector = await openDetector(model, config);
  tellDecision(config, calibration, options);
  const { range } = mapRange(calibration, config);
  const told = progress(options, "inspecting", "images");
  const ids = files.map(({ id }) => id);
  let index = 0;
  for await (const inspection of detector.inspect({ images, ids }, calibration)) {
    const { id, score, map, mapSize, milliseconds } = inspection;
    const name = join(out, id.replace(/\.png$/i, ""));
    const overlay = `${name}-overlay.png`;
    const heat = overlayHeat(shownBy(mapSize, imageAt(images, index)), map, range);
    const marked = pixelThreshold ?? Infinity;
    const found = Uint8Array.from(map, (value) => Number(value >= marked));
    writeImage(overlay, outlineMask(heat, found, [255, 255, 255]));
    writeWhole(`${name}-map.npy`, encodeNpy(map, [mapSize, mapSize]));
    const regions = defectRegions(map, { mapSize, size, ...sizes[index]!, threshold: marked });
    const decision = threshold === null ? null : score >= threshold ? "defective" : "good";
    onEvent?.({ type: "inspected", id, score, milliseconds });
    if (decision !== null) onEvent?.({ type: "verdict", id, decision, score, threshold: threshold! });
    told.update(index + 1, files.length);
    yield { file: files[index]!.path, score, decision, regions, overlay, map: `${name}-map.npy` };
    signal?.throwIfAborted();
    index++;
  }
}

function tellDecision(config: Config, calibration: Calibration | undefined, options: StageOptions): void {
  if (calibration) {
    const { falseAlarmRate } = config.detection;
    const extrapolation = describeExtrapolation(calibration.scores.length, falseAlarmRate);
    if (extrapolation !== undefined) notice(options, extrapolation);
    return;
  }
  const cure =
    config.protocol === "paper"
      ? "The paper's protocol has no threshold but that of a test set."
      : "Run ddad calibrate to get a threshold.";
  notice(options, `The model is not calibrated: scores only, no decisions. ${cure}`);
}
