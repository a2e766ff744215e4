/** `ddad adapt`. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { readCheckpoint, type StateDict, setupDevice } from "@ddad/nn";
import { decodeAdaptationState, encodeAdaptationState } from "../adaptationFile.ts";
import { type AdaptationResult, type AdaptationRunState, adapt } from "../adaptationRun.ts";
import { DataError } from "../errors.ts";
import { writeWhole } from "../files.ts";
import { encodeModel, type Model } from "../modelFile.ts";
import { describeMemory } from "../plannedMemory.ts";
import { completeInto } from "./complete.ts";
import { loadTraining } from "./data.ts";
import { checkWeights, loadExtractor } from "./detector.ts";
import { stopOnInterrupt } from "./interrupt.ts";
import { adaptationStateFile, loadDenoiser, type ModelOptions, openModel } from "./model.ts";
import type { ConfigOptions } from "./settings.ts";
import { Progress, printResult, say } from "./terminal.ts";

export type AdaptOptions = ConfigOptions &
  ModelOptions & { readonly resume?: boolean; readonly json?: boolean };

export async function runAdapt(options: AdaptOptions): Promise<void> {
  const { path, model, config } = await openModel(options, options, unadapted);
  const { result, interrupted } = await adaptInto(path, { ...model, config }, options.resume);
  const { steps, kept, stopped } = result;
  printResult(
    options.json,
    { checkpoint: path, ...result },
    interrupted
      ? `stopped after ${steps} of ${config.adaptation.steps} steps; go on with ddad adapt --resume`
      : `adapted in ${steps} steps (ended ${describe[stopped]}), kept the network of step ${kept}: ${path}`,
  );
  if (interrupted) process.exitCode = 130;
}

const describe = {
  "after all steps": "after all of them",
  "held-out pictures": "because held-out pictures found no better one",
  "by request": "by request",
};

/** Adapts the extractor of a model in a run's folder, and calibrates the model anew. */
export async function adaptInto(
  path: string,
  model: Model,
  resume = false,
): Promise<{ result: AdaptationResult; interrupted: boolean }> {
  const { config } = model;
  checkAdaptation(model);
  const folder = dirname(path);
  const statePath = join(folder, adaptationStateFile);
  const state = resume ? await openState(statePath) : undefined;
  const { train, heldOut } = await loadTraining(config, folder, true);
  const device = await setupDevice();
  say(`adapting ${config.features.network} to ${train.ids.length} pictures, ${device.name}`);
  using denoiser = loadDenoiser(model);
  // What it is held to are the weights before any adaptation, never those of an earlier one.
  using extractor = (await loadExtractor(config, unadapted(model)))!;
  // The network at the start is kept until one is better.
  let best: StateDict = state?.best?.step && model.extractor ? model.extractor : await extractor.stateDict();
  using interrupt = stopOnInterrupt();
  const progress = new Progress("step", "steps", state?.step);
  const result = await adapt({
    ...{ config, denoiser, extractor, train, heldOut },
    resume: state,
    signal: interrupt.signal,
    onMemory: (memory) =>
      say(
        describeMemory(
          memory,
          `an adaptation by ${Math.floor(config.adaptation.batchSize / 2)} pairs of pictures`,
        ),
      ),
    onProgress: ({ step, steps, loss, heldOutLoss }) => {
      const held = heldOutLoss === undefined ? "" : ` · held out ${heldOutLoss.toPrecision(4)}`;
      progress.update(step, steps, `loss ${loss.toPrecision(4)}${held}`);
    },
    onBest: (found, adaptedSteps) => {
      best = found;
      writeWhole(path, encodeModel({ ...model, extractor: best, adaptedSteps, calibration: undefined }));
    },
    onCheckpoint: (reached: AdaptationRunState) => writeWhole(statePath, encodeAdaptationState(reached)),
  });
  progress.stop();
  const interrupted = interrupt.signal.aborted;
  if (!interrupted) {
    await completeInto(path, { ...model, extractor: best, adaptedSteps: result.kept }, heldOut);
  }
  return { result, interrupted };
}

/** The extractor that a model holds, where it was never adapted. */
const unadapted = ({ extractor, adaptedSteps }: Model): StateDict | undefined =>
  adaptedSteps === undefined ? extractor : undefined;

function checkAdaptation(model: Model): void {
  const { config } = model;
  if (config.method === "patchcore") {
    throw new DataError("PatchCore adapts no network: its bank holds what the network sees as it is.");
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
