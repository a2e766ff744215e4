/** A training in the folder of a run. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import {
  type Config,
  calibrationDifferences,
  decodeModel,
  describeTrainingMemory,
  describeValidationLoss,
  encodeModel,
  encodeTrainingState,
  fromGoodImages,
  GoodImages,
  type Model,
  stepsAtHalfSize,
  stepsLeft,
  type TrainingResult,
  type TrainingState,
  train,
  tuneTraining,
} from "@ddad/ddad/internal";
import { readCheckpoint } from "@ddad/nn";
import { formatConfig } from "../configFile.ts";
import { notice, progress, type StageOptions } from "../events.ts";
import { writeWhole } from "../files.ts";
import { checkWeights } from "../model/detector.ts";
import { forgetModel, modelFile, recordFiles, stateFile } from "../model/open.ts";
import { openDevice } from "../openDevice.ts";
import { lockRun } from "../runLock.ts";
import { atRoot } from "../settings.ts";
import { completeInto } from "./calibrate.ts";
import { loadTraining } from "./data.ts";
import { tuneKernels } from "./tune.ts";

/** Options of `trainRun`. */
export interface TrainRunOptions extends StageOptions {
  /** Where an earlier training stopped; see `openRun`. */
  readonly resume?: { readonly state: TrainingState; readonly best: Model | undefined } | undefined;
  /** Stops once this many steps are done, as the signal would. */
  readonly stopAfter?: number | undefined;
  /** Measures the kernels of a step first. */
  readonly tune?: boolean | undefined;
}

/**
 * Trains in the folder of a run, and writes there config.yaml, the division of the data (split.json), checkpoints at an interval and where
 * it is stopped, and the best model, calibrated at the end.
 *
 * @param folder of the run; made where there is none
 * @param config complete, as `loadConfig` returns it
 * @param options where to resume, and when to stop
 * @returns how many steps are done, the last loss, the speed and the best model; `stopped` where the signal or `stopAfter` ended it after
 * a step, which is saved then
 * @throws DataError where images or weights are missing, or another process works in the folder
 * @throws MemoryBudgetError where not even one image fits into `training.memory`
 * @throws DivergedError where a loss or a weight is NaN or infinite; the last checkpoint stays
 * @throws the reason of the signal where it is aborted while kernels are measured, images are read or the model is calibrated
 */
export async function trainRun(
  folder: string,
  config: Config,
  options: TrainRunOptions = {},
): Promise<TrainingResult> {
  const { resume, stopAfter, tune = false, signal, onEvent } = options;
  const complete = resume && (await completeModel(folder, config, resume.state));
  if (complete) {
    const { step: steps } = resume.state;
    return {
      steps,
      loss: NaN,
      imagesPerSecond: 0,
      stopped: false,
      model: complete,
      validationLoss: undefined,
    };
  }
  checkWeights(config);
  using lock = lockRun(folder);
  const images = await loadTraining(config, folder, { ...options, resume: resume !== undefined });
  const device = await openDevice(options);
  notice(
    options,
    `training on ${images.train.ids.length} images (${images.heldOut.ids.length} held out), ${device.name}`,
  );
  const trains =
    !resume || resume.state.step < config.training.steps || resume.state.validationPending === true;
  // Before the model of an earlier run is gone, and before a request to stop waits for a step to end.
  if (tune && trains) await tuneKernels((how) => tuneTraining({ config, ...images }, how), options);
  writeWhole(join(folder, "config.yaml"), formatConfig(config));
  lock.keep(recordFiles, (message) => notice(options, message));
  if (trains) forgetModel(folder);
  let steps = progress(options, "step", "steps", resume?.state.step);
  const boundary = stepsAtHalfSize(config.training);
  const result = await train({
    config,
    ...images,
    resume,
    signal,
    stopAfter,
    onMemory: (memory) => onEvent?.({ type: "memory", memory, message: describeTrainingMemory(memory) }),
    onNotice: (message) => notice(options, message),
    onProgress: ({ step, steps: total, loss, imagesPerSecond, validationLoss }) => {
      // A validation that was left over has no step before it.
      const speed = Number.isNaN(loss) ? {} : { loss, imagesPerSecond };
      const left = step < boundary ? { left: stepsLeft(config, step) } : {};
      steps.update(step, total, { ...speed, ...left, validationLoss: validationLoss?.mean });
      // Steps of larger images take longer: their speed is counted by itself.
      if (step === boundary) {
        steps.end();
        steps = progress(options, "step", "steps", step);
      }
      if (validationLoss) notice(options, `step ${step}: ${describeValidationLoss(validationLoss)}`);
    },
    onBest: (model) => writeWhole(join(folder, modelFile), encodeModel(model)),
    onCheckpoint: (state) => {
      const path = join(folder, stateFile);
      writeWhole(path, encodeTrainingState(state));
      onEvent?.({ type: "checkpoint", path, step: state.step });
    },
  });
  steps.end();
  if (!result.stopped && result.model) {
    const model = withSettings(result.model, config);
    const goodImages = fromGoodImages(config) ? new GoodImages(images.train.images) : undefined;
    await completeInto(join(folder, modelFile), { ...model, goodImages }, images.heldOut, options);
  }
  return result;
}

/** The model of a run with nothing left to do: all steps taken, and made with these very settings; undefined where anything is left. */
async function completeModel(
  folder: string,
  config: Config,
  { step, best, validationPending }: TrainingState,
): Promise<Model | undefined> {
  const path = join(folder, modelFile);
  if (step < config.training.steps || validationPending || !existsSync(path)) return undefined;
  const model = decodeModel(await readCheckpoint(path), path);
  const { calibration, extractor } = model;
  const calibrated =
    config.protocol === "paper" || (calibration && calibrationDifferences(calibration, config).length === 0);
  const complete =
    model.step === (best?.step ?? step) &&
    (extractor !== undefined || config.features.network === "none") &&
    calibrated &&
    isDeepStrictEqual(atRoot(model.config), atRoot(config));
  return complete ? model : undefined;
}

/** The best model may predate a resume; the steps after training use the current settings. */
function withSettings(model: Model, config: Config): Model {
  const { extractor, adaptedSteps, ...own } = model;
  const { network, weights } = model.config.features;
  const same = network === config.features.network && weights === config.features.weights;
  return { ...own, config, ...(same && { extractor, adaptedSteps }) };
}
