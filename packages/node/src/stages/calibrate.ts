/** The last step of every training: a calibrated model file that needs nothing beside it. */
import { dirname } from "node:path";
import {
  type Calibration,
  DataError,
  describeExtrapolation,
  encodeModel,
  isImported,
  type Model,
  type ModelDetector,
  type NamedImages,
} from "@ddad/ddad/internal";
import { setupDevice } from "@ddad/nn";
import { formatDuration } from "../duration.ts";
import { notice, type StageOptions } from "../events.ts";
import { writeWhole } from "../files.ts";
import { openDetector, withExtractor } from "../model/detector.ts";
import { loadHeldOut } from "./data.ts";

/**
 * Puts into a model what inspecting needs beside its network, and writes it: the extractor's weights, where it has one, and
 * under the strict protocol the calibration on held-out images, where there are any.
 */
export async function completeInto(
  path: string,
  given: Model,
  heldOut: NamedImages,
  options: StageOptions = {},
): Promise<Calibration | undefined> {
  const model = await withExtractor(given);
  const calibration =
    model.config.protocol === "strict" && heldOut.ids.length >= 2
      ? await calibrated(model, heldOut, options)
      : undefined;
  writeWhole(path, encodeModel({ ...model, calibration }));
  return calibration;
}

async function calibrated(model: Model, heldOut: NamedImages, options: StageOptions): Promise<Calibration> {
  using detector = await openDetector(model);
  const calibration = await calibrateDetector(detector, model, heldOut, options);
  const extrapolation = describeExtrapolation(heldOut.ids.length, model.config.detection.falseAlarmRate);
  if (extrapolation !== undefined) notice(options, extrapolation);
  return calibration;
}

/** Calibrates, and tells on what. */
export async function calibrateDetector(
  detector: ModelDetector,
  model: Model,
  heldOut: NamedImages,
  options: StageOptions = {},
): Promise<Calibration> {
  const started = performance.now();
  const calibration = await detector.calibrate(heldOut);
  const seconds = (performance.now() - started) / 1000;
  notice(options, `calibrated on ${heldOut.ids.length} held-out images in ${formatDuration(seconds)}`);
  if (isImported(model)) {
    notice(
      options,
      "The network was imported: if it was trained on these images, the false-alarm rate will be higher than requested.",
    );
  }
  return calibration;
}

/**
 * Calibrates a model again on the held-out images of its data set, and writes its file.
 *
 * @param path file of the model
 * @throws DataError for the paper's protocol, which has no calibration, and where there are fewer than two images
 */
export async function calibrateModel(
  path: string,
  model: Model,
  options: StageOptions = {},
): Promise<{ readonly calibration: Calibration; readonly images: number }> {
  const { config } = model;
  if (config.protocol === "paper") {
    throw new DataError(
      "The paper's protocol has no calibration: it weighs distances by their maxima over a batch, and takes the threshold from the test set.",
    );
  }
  const heldOut = await loadHeldOut(config, dirname(path), options);
  await setupDevice();
  const calibration = await completeInto(path, model, heldOut, options);
  if (calibration !== undefined) return { calibration, images: heldOut.ids.length };
  throw new DataError(
    `${config.data.root} gives ${heldOut.ids.length} held-out good images, but a calibration needs two; data.heldOut of the model is ${config.data.heldOut}.`,
  );
}
