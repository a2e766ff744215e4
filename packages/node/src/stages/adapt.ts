/** Domain adaptation of a model's feature extractor, in the folder of a run. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type AdaptationResult,
  type AdaptationRunState,
  adapt,
  DataError,
  decodeAdaptationState,
  describeMemory,
  encodeAdaptationState,
  encodeModel,
  GoodImages,
  type Model,
} from "@ddad/ddad/internal";
import { readCheckpoint, type StateDict } from "@ddad/nn";
import { notice, progress, type StageOptions } from "../events.ts";
import { writeWhole } from "../files.ts";
import { checkWeights, loadExtractor } from "../model/detector.ts";
import { adaptationStateFile, loadDenoiser, recordFiles, stagesFile } from "../model/open.ts";
import { openDevice } from "../openDevice.ts";
import { lockRun } from "../runLock.ts";
import { completeInto } from "./calibrate.ts";
import { loadTraining } from "./data.ts";

/** Options of `adaptRun`. */
export interface AdaptRunOptions extends StageOptions {
  /** Continues the adaptation that stopped in the same folder. Default false. */
  readonly resume?: boolean | undefined;
}

/**
 * Adapts the extractor of a model in a run's folder, and calibrates the model again.
 *
 * @param path file of the model
 * @param model as `openModel` gives it, with the settings to adapt by
 * @returns how many steps were done, of which step the network is kept, and why it ended; "by request" where the signal stopped it after a
 * step, which is saved then
 * @throws DataError where there is nothing to adapt, or nothing to resume; the reason of the signal where it is aborted before the first
 * step, or while the model is calibrated again: then `resume` does that
 */
export async function adaptRun(
  path: string,
  model: Model,
  options: AdaptRunOptions = {},
): Promise<AdaptationResult> {
  const { resume = false, signal, onEvent } = options;
  const { config } = model;
  checkAdaptation(model);
  const folder = dirname(path);
  using lock = lockRun(folder);
  const statePath = join(folder, adaptationStateFile);
  const state = resume ? await openState(statePath) : undefined;
  const { train, heldOut } = await loadTraining(config, folder, { ...options, resume: true });
  lock.keep([...recordFiles, stagesFile], (message) => notice(options, message));
  const device = await openDevice(options);
  notice(options, `adapting ${config.features.network} to ${train.ids.length} images, ${device.name}`);
  using denoiser = loadDenoiser(model);
  // What it is held to are the weights before any adaptation, never those of an earlier one.
  // Features that good images are found by are those of the network as it was.
  const goodImages = model.goodImages && new GoodImages(model.goodImages.images);
  using extractor = (await loadExtractor(config, unadapted(model)))!;
  // The network at the start is kept until one is better.
  let best: StateDict = state?.best?.step && model.extractor ? model.extractor : await extractor.stateDict();
  const told = progress(options, "step", "steps", state?.step);
  const result = await adapt({
    ...{ config, denoiser, extractor, train, heldOut },
    resume: state,
    signal,
    onMemory: (memory) => {
      const pairs = Math.floor(config.adaptation.batchSize / 2);
      const message = describeMemory(memory, `an adaptation by ${pairs} pairs of images`);
      onEvent?.({ type: "memory", memory, message });
    },
    onProgress: ({ step, steps, loss, validationLoss }) =>
      told.update(step, steps, { loss, validationLoss: validationLoss }),
    onBest: (found, adaptedSteps) => {
      best = found;
      writeWhole(
        path,
        encodeModel({ ...model, extractor: best, goodImages, adaptedSteps, calibration: undefined }),
      );
    },
    onCheckpoint: (reached: AdaptationRunState) => {
      writeWhole(statePath, encodeAdaptationState(reached));
      onEvent?.({ type: "checkpoint", path: statePath, step: reached.step });
    },
  });
  told.end();
  if (!signal?.aborted) {
    await completeInto(
      path,
      { ...model, extractor: best, goodImages, adaptedSteps: result.kept },
      heldOut,
      options,
    );
  }
  return result;
}

/** The extractor that a model holds, where it was never adapted. */
export const unadapted = ({ extractor, adaptedSteps }: Model): StateDict | undefined =>
  adaptedSteps === undefined ? extractor : undefined;

function checkAdaptation(model: Model): void {
  const { config } = model;
  if (config.method !== "ddad") {
    throw new DataError(
      `Method ${config.method} adapts no network: it compares what the network sees as it is.`,
    );
  }
  if (config.features.network === "none") {
    throw new DataError(
      "There is no network to adapt: features.network is none. Name one, such as --set features.network=wide_resnet101_2.",
    );
  }
  if (config.adaptation.steps === 0)
    throw new DataError("There is nothing to do: adaptation.steps is 0. Set it to adapt.");
  if (unadapted(model) === undefined) checkWeights(config);
}

async function openState(path: string): Promise<AdaptationRunState> {
  if (!existsSync(path)) throw new DataError(`There is nothing to resume: ${path} does not exist.`);
  return decodeAdaptationState(await readCheckpoint(path), path);
}
