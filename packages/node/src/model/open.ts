/** Opening models and runs. */
import { existsSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  boundSettings,
  type Config,
  ConfigError,
  type ConfigRecord,
  createDenoiser,
  DataError,
  decodeModel,
  decodeTrainingState,
  isImported,
  type Model,
  type TrainingState,
} from "@ddad/ddad/internal";
import { CheckpointError, readCheckpoint, type StateDict, type UNet } from "@ddad/nn";
import { splitFile } from "../datasets/splitFile.ts";
import { configOver } from "../settings.ts";

/** Files in the folder of a run. */
export const modelFile = "model.safetensors";
export const stateFile = "checkpoint.safetensors";
export const adaptationStateFile = "adaptation.safetensors";

export const stagesFile = "stages.json";
/** What tells how a run was made: without them nothing says which settings and images are behind its model. */
export const recordFiles = ["config.yaml", splitFile];
export const resultsFile = (folder: string): string => join(folder, "evaluation", "results.json");

/** Removes what in a run hangs on its model: the adaptation to it, and what was measured with it. */
export function forgetModel(folder: string): void {
  for (const path of [join(folder, adaptationStateFile), join(folder, stagesFile), resultsFile(folder)]) {
    rmSync(path, { force: true });
  }
}

/** The file of a model: the path itself, or in the folder of a run. @throws DataError where there is none */
export function modelPath(path: string): string {
  if (!existsSync(path)) throw new DataError(`The model ${path} does not exist.`);
  const stats = statSync(path);
  if (stats.isFile()) return path;
  // A pipe or a device would never end.
  if (!stats.isDirectory()) throw new DataError(`${path} is neither a file nor a folder; give a model.`);
  const found = [modelFile, stateFile].map((name) => join(path, name)).find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new DataError(`${path} holds neither ${modelFile} nor ${stateFile}; is it the folder of a run?`);
}

/** A model, its file, and its settings with the changes that were asked for. */
export type OpenModel = { readonly path: string; readonly model: Model; readonly config: Config };

/** The model in a file. @throws CheckpointError that says what a model is, where the file is named like none */
async function readModel(path: string): Promise<Model> {
  try {
    return decodeModel(await readCheckpoint(path), path);
  } catch (error) {
    if (!(error instanceof CheckpointError) || path.endsWith(".safetensors")) throw error;
    throw new CheckpointError(
      `${error.message} Pass a model: the ${modelFile} that ddad train writes to its run folder (default runs/<data set>), or a file written by ddad import.`,
      { cause: error },
    );
  }
}

/**
 * Reads a model, and changes its settings. The network and what it was trained on stay as they are; the settings of the
 * training no longer matter.
 *
 * @param file of the model, or folder of a run
 * @param asked settings to change
 * @param own the weights of an extractor that are taken from the model; only without any are others read
 * @throws DataError where there is no model; CheckpointError where the file is none or damaged; ConfigError where a setting cannot change
 */
export async function openModel(
  file: string,
  asked?: ConfigRecord,
  own = ({ extractor }: Model): StateDict | undefined => extractor,
): Promise<OpenModel> {
  const path = modelPath(file);
  const model = await readModel(path);
  const free = [
    // What an imported network was trained with, it was not told here.
    ...(isImported(model) ? ["data.heldOut", "data.splitSeed"] : []),
    ...(model.extractor ? [] : ["features.network"]),
  ];
  const fixed = boundSettings("model").filter((path) => !free.includes(path));
  const config = asked
    ? configOver(model.config, asked, fixed, (setting) => {
        const more = "; to calibrate on more good images, run ddad calibrate --good FOLDER";
        return `${path} was made with it${setting === "data.heldOut" ? more : ""}`;
      })
    : model.config;
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

/**
 * The state in which a run stopped, and its best model until then.
 *
 * @param folder of the run
 * @returns what `trainRun` takes as `resume`
 * @throws DataError where there is no state; CheckpointError where a file is damaged
 */
export async function openRun(folder: string): Promise<{ state: TrainingState; best: Model | undefined }> {
  const path = join(folder, stateFile);
  if (!existsSync(path)) throw new DataError(`There is nothing to resume: ${path} does not exist.`);
  const state = decodeTrainingState(await readCheckpoint(path), path);
  const file = join(folder, modelFile);
  const model = existsSync(file) ? decodeModel(await readCheckpoint(file), file) : undefined;
  if (model === undefined) return { state: { ...state, best: undefined }, best: undefined };
  // Without held-out images no model is better than the last one, which a kill may have left without its extractor.
  return { state, best: state.best !== undefined || model.step === state.step ? model : undefined };
}
