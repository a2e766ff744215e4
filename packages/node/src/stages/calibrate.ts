/** The last step of every training: a calibrated model file that needs nothing beside it. */
import { dirname } from "node:path";
import {
  type Calibration,
  type Choice,
  type Chosen,
  type Config,
  calibrationDifferences,
  calibrationText,
  checkChoice,
  DataError,
  describeFalseAlarms,
  encodeModel,
  isImported,
  type Model,
  type ModelDetector,
  type NamedImages,
} from "@ddad/ddad/internal";
import { listed } from "../datasets/listing.ts";
import { formatDuration } from "../duration.ts";
import { notice, progress, type StageOptions } from "../events.ts";
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
  /** Chooses ways of sampling and comparing on synthetic defects first. Default false: the settings of the model. */
  readonly choose?: boolean | undefined;
}

/** What `calibrateModel` did. */
export interface CalibrateResult {
  /** The new one, which the model's file holds now. */
  readonly calibration: Calibration;
  /** What it replaced; the file of the model keeps it. */
  readonly before?: Calibration | undefined;
  /** Images that it is made on. */
  readonly images: number;
  /** Where settings were chosen: the model has them now. */
  readonly choice?: Choice | undefined;
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
  options: CompleteOptions = {},
): Promise<Calibration | undefined> {
  const model = await withExtractor(given);
  const made =
    model.config.protocol === "strict" && heldOut.ids.length >= 2
      ? await calibrated(model, heldOut, options)
      : undefined;
  const chosen = options.chosen ?? keptChoice(options.before ?? given.calibration, model.config);
  const calibration = made && chosen ? { ...made, chosen } : made;
  writeWhole(
    path,
    encodeModel({ ...model, calibration, calibrationBefore: earlier(model, options.before, calibration) }),
  );
  return calibration;
}

type CompleteOptions = StageOptions & {
  /** The calibration that is replaced. */
  readonly before?: Calibration | undefined;
  /** How the settings were chosen, where they were just now. */
  readonly chosen?: Chosen | undefined;
};

/** Settings that were chosen once stay so, whatever is calibrated with them later. */
const keptChoice = (before: Calibration | undefined, config: Config): Chosen | undefined =>
  before && calibrationDifferences(before, config).length === 0 ? before.chosen : undefined;

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
  const { good, force = false, choose = false } = options;
  if (choose) checkChoice(config);
  const folder = dirname(path);
  using lock = lockRun(folder);
  lock.keep([...recordFiles, stagesFile], (message) => notice(options, message));
  const found = good === undefined ? undefined : findGoodImages(good, config, folder, options);
  if (choose && found && found.tested.length > 0) {
    throw new DataError(
      `${found.tested.length} of the images in ${good} are test images of the data set (${listed(found.tested)}), and settings must ` +
        "not be chosen on those: take them out, or pass --good with a folder that has none.",
    );
  }
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
  const complete = await withExtractor(await withGoodImages(model, config, folder, options));
  const choice = choose ? await chooseFor(complete, images, options) : undefined;
  const settled = choice ? { ...complete, config: choice.config } : complete;
  const completing = { ...options, before, chosen: choice?.chosen };
  const calibration = (await completeInto(path, settled, images, completing))!;
  return {
    ...{ calibration, before, images: images.ids.length },
    ...(choice && { choice }),
    ...(found && { leftOut: found.leftOut }),
  };
}

/** Chooses settings for a model, and tells how far it is. */
async function chooseFor(model: Model, heldOut: NamedImages, options: StageOptions): Promise<Choice> {
  using detector = await openDetector(model);
  const told = progress(options, "choosing settings", "images");
  const started = performance.now();
  const choice = await detector.choose!(heldOut, {
    seed: model.config.data.splitSeed,
    signal: options.signal,
    progress: (done, count) => told.update(done, count),
  });
  const { chosen, rows } = choice;
  const seconds = (performance.now() - started) / 1000;
  notice(
    options,
    `tried ${rows.length} settings on ${chosen.defects} synthetic defects, laid on ${chosen.images} held-out good images, in ${formatDuration(seconds)}`,
  );
  return choice;
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
