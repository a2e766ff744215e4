/** Opening models and runs. */
import { existsSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { readCheckpoint, type StateDict, type UNet } from "@ddad/nn";
import type { Config } from "../config.ts";
import { createDenoiser } from "../denoiser.ts";
import { ConfigError, DataError } from "../errors.ts";
import {
  decodeModel,
  decodeTrainingState,
  isImported,
  type Model,
  type TrainingState,
} from "../modelFile.ts";
import { type ConfigOptions, configOf, configOver, runFolder } from "./settings.ts";

/** Files in the folder of a run. */
export const modelFile = "model.safetensors";
export const stateFile = "checkpoint.safetensors";
export const adaptationStateFile = "adaptation.safetensors";

export const stagesFile = "stages.json";
export const resultsFile = (folder: string): string => join(folder, "evaluation", "results.json");

/** Removes what in a run hangs on its model: the adaptation to it, and what was measured with it. */
export function forgetModel(folder: string): void {
  for (const path of [join(folder, adaptationStateFile), join(folder, stagesFile), resultsFile(folder)]) {
    rmSync(path, { force: true });
  }
}

export type ModelOptions = { readonly checkpoint?: string };

/** The path of a model: as given, or in the run of the data set. */
function modelPath({ checkpoint }: ModelOptions, options: ConfigOptions | undefined): string {
  if (checkpoint === undefined && options === undefined) {
    throw new DataError("No model was given: add --checkpoint <file or folder of a run>.");
  }
  const path = checkpoint ?? runFolder(configOf(options!));
  if (!existsSync(path)) {
    throw new DataError(
      checkpoint === undefined
        ? `There is no run in ${path}; train one with ddad train, or give a model with --checkpoint.`
        : `The model ${path} does not exist.`,
    );
  }
  if (!statSync(path).isDirectory()) return path;
  const found = [modelFile, stateFile].map((name) => join(path, name)).find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new DataError(`${path} holds neither ${modelFile} nor ${stateFile}; is it the folder of a run?`);
}

export type OpenModel = { readonly path: string; readonly model: Model; readonly config: Config };

/**
 * Reads a model and, where a command takes a configuration, what it changes. The network and what it was trained on
 * stay as they are; the settings of the training no longer matter.
 *
 * @param own the weights of an extractor that the command takes from the model; only without any does it read others.
 */
export async function openModel(
  options: ModelOptions,
  given?: ConfigOptions,
  own = ({ extractor }: Model): StateDict | undefined => extractor,
): Promise<OpenModel> {
  const path = modelPath(options, given);
  const model = decodeModel(await readCheckpoint(path), path);
  const fixed = [
    ...["protocol", "method", "model", "diffusion", "data.imageSize"],
    // What an imported network was trained with, it was not told here.
    ...(isImported(model) ? [] : ["data.heldOut", "data.splitSeed"]),
    ...(model.extractor ? ["features.network"] : []),
    // Its bank is filled; by how many neighbours it scores may change.
    ...(model.config.method === "patchcore"
      ? ["patchcore.fraction", "patchcore.maxPatches", "patchcore.seed"]
      : []),
  ];
  const config = given ? configOver(model.config, given, fixed, `${path} was made with it`) : model.config;
  const { network, weights } = config.features;
  if (own(model) && weights !== model.config.features.weights) {
    throw new ConfigError([
      `features.weights is ${weights}, but ${path} holds the weights of its ${network} and reads no others: ` +
        "leave it out, or train or import a model with those.",
    ]);
  }
  return { path, model, config };
}

/** The network of a model, in evaluation mode. Needs a device. */
export function loadDenoiser({ config, weights }: Model): UNet {
  const denoiser = createDenoiser(config);
  denoiser.loadStateDict(weights);
  return denoiser.eval();
}

/** The state in which a run stopped, and its best model until then. */
export async function openRun(folder: string): Promise<{ state: TrainingState; best: Model | undefined }> {
  const path = join(folder, stateFile);
  if (!existsSync(path)) throw new DataError(`There is nothing to resume: ${path} does not exist.`);
  const state = decodeTrainingState(await readCheckpoint(path), path);
  const best = join(folder, modelFile);
  if (state.best === undefined || !existsSync(best))
    return { state: { ...state, best: undefined }, best: undefined };
  return { state, best: decodeModel(await readCheckpoint(best), best) };
}
