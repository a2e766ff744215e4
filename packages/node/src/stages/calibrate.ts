/** The last step of every training: a calibrated model file that needs nothing beside it. */
import { dirname } from "node:path";
import {
  type Calibration,
  type Config,
  calibrationText,
  DataError,
  describeFalseAlarms,
  encodeModel,
  isImported,
  type Model,
  type ModelDetector,
  type NamedImages,
} from "@ddad/ddad/internal";
import { formatDuration } from "../duration.ts";
import { notice, type StageOptions } from "../events.ts";
import { writeWhole } from "../files.ts";
import { openDetector, withExtractor } from "../model/detector.ts";
import { recordFiles, stagesFile } from "../model/open.ts";
import { openDevice } from "../openDevice.ts";
import { lockRun } from "../runLock.ts";
import { findHeldOut, loadSamples, withGoodImages } from "./data.ts";
import { findGoodImages, type LeftOut } from "./goodImages.ts";

/** Options of `calibrateModel`. */
export interface CalibrateOptions extends StageOptions {
  /** Folder of good images to calibrate on: all that were not trained on. Default: the held-out images of the data set. */
  readonly good?: string | undefined;
  /** Calibrates also on fewer images than the model is calibrated on. Default false. */
  readonly force?: boolean | undefined;
}

/** What `calibrateModel` did. */
export interface CalibrateResult {
  /** The new one, which the model's file holds now. */
  readonly calibration: Calibration;
  /** What it replaced; the file of the model keeps it. */
  readonly before?: Calibration | undefined;
  /** Images that it is made on. */
  readonly images: number;
  /** Images of `good` that were left out. */
  readonly leftOut?: LeftOut | undefined;
}

/**
 * Puts into a model what inspecting needs beside its network, and writes it: the extractor's weights, where it has one, and
 * under the strict protocol the calibration on held-out images, where there are any.
 */
export async function completeInto(
  path: string,
  given: Model,
  heldOut: NamedImages,
  options: StageOptions & { readonly before?: Calibration | undefined } = {},
): Promise<Calibration | undefined> {
  const model = await withExtractor(given);
  const calibration =
    model.config.protocol === "strict" && heldOut.ids.length >= 2
      ? await calibrated(model, heldOut, options)
      : undefined;
  writeWhole(
    path,
    encodeModel({ ...model, calibration, calibrationBefore: earlier(model, options.before, calibration) }),
  );
  return calibration;
}

/** The calibration to keep beside a new one: a new one that is the same does not push out the one before. */
const earlier = (
  { calibrationBefore }: Model,
  before: Calibration | undefined,
  calibration: Calibration | undefined,
): Calibration | undefined =>
  before && calibration && calibrationText(before) === calibrationText(calibration)
    ? calibrationBefore
    : before;

async function calibrated(model: Model, heldOut: NamedImages, options: StageOptions): Promise<Calibration> {
  using detector = await openDetector(model);
  const calibration = await calibrateDetector(detector, model, heldOut, options);
  notice(options, describeFalseAlarms(heldOut.ids.length, model.config.detection.falseAlarmRate));
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
  const calibration = await detector.calibrate(heldOut, { signal: options.signal });
  const seconds = (performance.now() - started) / 1000;
  notice(options, `calibrated on ${heldOut.ids.length} good images in ${formatDuration(seconds)}`);
  if (isImported(model)) {
    notice(
      options,
      "The network was imported: if it was trained on these images, the false-alarm rate will be higher than requested.",
    );
  }
  return calibration;
}

/**
 * Calibrates a model again, on good images of a folder or on the held-out images of its data set, and writes its file, which
 * keeps the calibration before.
 *
 * @param path file of the model; the folder it lies in may say which images it was trained on
 * @param model as `openModel` gives it, with the settings to calibrate for
 * @throws DataError for the paper's protocol, which has no calibration, where there are fewer than two images, and where
 * there are fewer than the model is calibrated on; the reason of the signal, and then the file is as it was
 */
export async function calibrateModel(
  path: string,
  model: Model,
  options: CalibrateOptions = {},
): Promise<CalibrateResult> {
  const { config, calibration: before } = model;
  if (config.protocol === "paper") {
    throw new DataError(
      "The paper's protocol has no calibration: it weighs distances by their maxima over a batch, and takes the threshold from the test set.",
    );
  }
  const { good, force = false } = options;
  const folder = dirname(path);
  using lock = lockRun(folder);
  lock.keep([...recordFiles, stagesFile], (message) => notice(options, message));
  const found = good === undefined ? undefined : findGoodImages(good, config, folder, options);
  const files = found?.files ?? findHeldOut(config, folder, options);
  const from = good ?? config.data.root;
  const checkCount = (count: number): void => {
    if (count >= 2) return;
    const why = good === undefined ? `; data.heldOut of the model is ${config.data.heldOut}` : "";
    throw new DataError(
      `${from} gives ${count} good images that were not trained on, but a calibration needs two${why}.`,
    );
  };
  checkCount(files.length);
  if (before !== undefined && files.length < before.scores.length && !force) {
    throw new DataError(
      `${path} is calibrated on ${before.scores.length} good images, but ${from} gives ${files.length}: the threshold would rest on ` +
        "fewer. Calibrate on a folder with more (--good FOLDER), or pass --force.",
    );
  }
  const images = await loadSamples(files, config, "good images", options);
  checkCount(images.ids.length);
  await openDevice(options);
  const complete = await withGoodImages(model, config, folder, options);
  const calibration = (await completeInto(path, complete, images, { ...options, before }))!;
  return { calibration, before, images: images.ids.length, ...(found && { leftOut: found.leftOut }) };
}

/**
 * Puts the calibration that a model file keeps from before in the place of its present one, with the settings that it was made with,
 * and keeps the present one in its place.
 *
 * @param path file of the model
 * @throws DataError where the file keeps none
 */
export function restoreCalibration(path: string, model: Model): CalibrateResult {
  const { config, calibration, calibrationBefore: restored } = model;
  if (restored === undefined) {
    throw new DataError(`${path} keeps no calibration from before; ddad calibrate makes a new one.`);
  }
  using _ = lockRun(dirname(path));
  const { precision, sampling, detection, features, patchcore } = restored;
  const { falseAlarmRate, pixelFalseAlarmRate } = config.detection;
  const settings: Config = {
    ...config,
    precision,
    sampling,
    detection: { ...detection, falseAlarmRate, pixelFalseAlarmRate },
    features: { ...config.features, ...features },
    patchcore: { ...config.patchcore, ...patchcore },
  };
  writeWhole(
    path,
    encodeModel({ ...model, config: settings, calibration: restored, calibrationBefore: calibration }),
  );
  return { calibration: restored, before: calibration, images: restored.scores.length };
}
