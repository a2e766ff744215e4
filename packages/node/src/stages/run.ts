/** All stages of a run, one after another: training, adaptation, calibration and evaluation. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type CalibrationState,
  type Config,
  calibrationDifferences,
  configKeys,
  configSchema,
  DataError,
  decodeModel,
  describeChanges,
  type EvaluationResult,
  parseStoredConfig,
  readResult,
  settingAt,
  summaryCsv,
  summaryMarkdown,
} from "@ddad/ddad/internal";
import { readCheckpoint } from "@ddad/nn";
import * as z from "zod";
import { readConfigFile } from "../configFile.ts";
import { openDataset } from "../datasets/dataset.ts";
import { listFolders } from "../datasets/listing.ts";
import { notice, type StageOptions } from "../events.ts";
import { writeWhole } from "../files.ts";
import { calibrationState, modelBeside } from "../model/calibrationState.ts";
import {
  adaptationStateFile,
  forgetModel,
  modelFile,
  openRun,
  recordFiles,
  resultsFile,
  stagesFile,
  stateFile,
} from "../model/open.ts";
import { lockRun } from "../runLock.ts";
import { atRoot } from "../settings.ts";
import { adaptRun } from "./adapt.ts";
import { evaluateModel } from "./evaluate.ts";
import { firstLook, firstLookFolder } from "./firstLook.ts";
import { fitRun } from "./fit.ts";
import { trainRun } from "./train.ts";

/** Options of `runStages`. */
export interface RunStagesOptions extends StageOptions {
  /** Measures the kernels of a training step first. */
  readonly tune?: boolean | undefined;
  /** Compares with the nearest good image before a training begins, and tells what that gives; a model in the folder `first-look`. */
  readonly firstLook?: boolean | undefined;
}

/** Which parts of a category's run are done; `stages.json` in its folder. */
const stagesSchema = z.object({
  looked: z.literal(true).optional(),
  trained: z.literal(true).optional(),
  adapted: z.literal(true).optional(),
});
type Stages = z.infer<typeof stagesSchema>;

/**
 * Trains, adapts, calibrates and evaluates one data set in a folder, from the stage at which it stopped.
 *
 * @param folder of the run; made where there is none
 * @param asked the configuration, complete; one that trains otherwise than the run in the folder is refused
 * @returns the result of the evaluation, as results.json holds it; undefined where there is nothing to evaluate: no test
 * images, or only good or only defective ones. The model is there then.
 * @throws DataError where images or weights are missing, or the folder holds a run with other settings
 * @throws DivergedError, MemoryBudgetError as `trainRun`
 * @throws the reason of the signal where it is aborted; the same call resumes
 */
export async function runStages(
  folder: string,
  asked: Config,
  options: RunStagesOptions = {},
): Promise<EvaluationResult | undefined> {
  const { tune, signal } = options;
  using lock = lockRun(folder);
  const config = settingsFor(folder, asked, options);
  const results = resultsFile(folder);
  if (existsSync(results)) {
    const stored = readResult(readFileSync(results, "utf8"));
    if ("problem" in stored) {
      throw new DataError(`${results} is damaged (${stored.problem}); remove it, and it is evaluated again.`);
    }
    const state = stateFor(config, results, stored.value);
    if (state === undefined || state === "current") {
      notice(options, `done already: ${results}`);
      return stored.value;
    }
    notice(options, `${results} was made with ${state}; evaluating again`);
  }
  const stages = readStages(folder);
  const missing = missingTest(config);
  if (missing && !stages.trained) notice(options, `${missing} The run ends with a calibrated model.`);
  const path = join(folder, modelFile);
  if (!stages.trained && config.method !== "ddad") {
    await fitRun(folder, config, options);
    writeStages(folder, { trained: true });
  } else if (!stages.trained) {
    if (options.firstLook && !stages.looked && config.protocol === "strict") {
      await firstLook(folder, config, missing === undefined, options);
      signal?.throwIfAborted();
      writeStages(folder, { looked: true });
    }
    const resume = existsSync(join(folder, stateFile)) ? await openRun(folder) : undefined;
    await trainRun(folder, config, { ...options, resume, tune });
    signal?.throwIfAborted();
    writeStages(folder, { trained: true });
  }
  const adapts =
    config.method === "ddad" && config.features.network !== "none" && config.adaptation.steps > 0;
  if (adapts && !stages.adapted) {
    const model = decodeModel(await readCheckpoint(path), path);
    const resume = existsSync(join(folder, adaptationStateFile));
    await adaptRun(path, { ...model, config }, { ...options, resume });
    signal?.throwIfAborted();
    writeStages(folder, { trained: true, adapted: true });
  }
  if (missing) {
    if (!existsSync(path)) {
      throw new DataError(
        `${folder} holds a complete run, but ${path} is missing; replace it with --overwrite.`,
      );
    }
    return undefined;
  }
  lock.keep([...recordFiles, stagesFile], (message) => notice(options, message));
  const model = decodeModel(await readCheckpoint(path), path);
  const { result } = await evaluateModel(model, withRateOf(config, model.config.detection), path, {
    ...options,
    out: join(folder, "evaluation"),
  });
  if (!existsSync(path)) {
    throw new DataError(
      `${path} was removed while it was evaluated; the results in ${dirname(results)} are those of a model that is gone. Start the run again with --overwrite.`,
    );
  }
  return result;
}

/**
 * The settings of a run: those asked for. One that began with others is not resumed, unless they change nothing that is trained. A run of a
 * version that turned no images keeps to that.
 */
function settingsFor(folder: string, asked: Config, options: StageOptions): Config {
  const path = join(folder, "config.yaml");
  if (!existsSync(path)) return asked;
  const file = readConfigFile(path);
  const stored = parseStoredConfig(file);
  const turned = settingAt(file, "data.orientation") !== undefined;
  const config: Config = turned ? asked : { ...asked, data: { ...asked.data, orientation: "stored" } };
  const paths = configKeys(configSchema).map((key) => key.path);
  const differences = describeChanges(
    paths.filter((key) => !withoutEffect.includes(key)),
    atRoot(config),
    atRoot(stored),
    "there",
  );
  if (differences.length > 0) {
    throw new DataError(
      `${folder} holds a run with other settings: ${differences.join(", ")}. Run it with those of ${path}, ` +
        "replace it with --overwrite, or choose another folder with --out.",
    );
  }
  if (!turned && asked.data.orientation === "exif")
    notice(options, `the run in ${folder} began without data.orientation: images stay as they are stored`);
  return config;
}

/** Whether results are those that an evaluation would give now; also where the model is calibrated for other settings than these. */
function stateFor(config: Config, file: string, result: EvaluationResult): CalibrationState | undefined {
  const model = modelBeside(file);
  if (!model || calibrationDifferences(model.calibration, config).length > 0) return undefined;
  return calibrationState(result, { ...model, rate: config.detection.falseAlarmRate ?? model.rate });
}

/** A configuration with the false-alarm rate of a model, where it asks for none: the model decides by that. */
const withRateOf = (config: Config, { falseAlarmRate }: Config["detection"]): Config =>
  config.detection.falseAlarmRate === undefined && falseAlarmRate !== undefined
    ? { ...config, detection: { ...config.detection, falseAlarmRate } }
    : config;

/** Settings that may differ where a run is resumed: they change nothing that is trained. */
const withoutEffect = ["preset", "training.memory", "detection.falseAlarmRate"];

/** Why a data set has nothing to evaluate, as a sentence; undefined where it has good and defective test images. */
export function missingTest({ data }: Config): string | undefined {
  const { test } = openDataset(data.root, data);
  if (test.length === 0) return "There are no test images, so nothing can be evaluated.";
  const defective = test.filter(({ label }) => label === 1).length;
  if (defective === 0) return "There are no defective test images, so nothing can be evaluated.";
  if (defective === test.length) return "There are no good test images, so nothing can be evaluated.";
  return undefined;
}

/** Removes a run from its folder, so that another one can begin there; files that no run wrote stay. */
export function removeRun(folder: string): void {
  forgetModel(folder);
  for (const name of ["config.yaml", "split.json", stateFile, modelFile, "evaluation", firstLookFolder]) {
    rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function readStages(folder: string): Stages {
  const path = join(folder, stagesFile);
  if (!existsSync(path)) return {};
  try {
    return stagesSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    throw new DataError(
      `${path} is damaged, so nothing says what of the run is done; restore it from a copy, or choose another folder with --out.`,
      { cause },
    );
  }
}

const writeStages = (folder: string, stages: Stages): void =>
  writeWhole(join(folder, stagesFile), JSON.stringify(stages));

/**
 * Writes summary.json, summary.csv and summary.md of all that was evaluated in a folder, now or earlier; nothing where nothing was. What
 * cannot be read is left out with a notice.
 *
 * @param folder of one run, or of a run for each category
 * @throws DataError where a file cannot be written
 */
export function writeSummary(folder: string, options: StageOptions = {}): void {
  const categories = existsSync(folder) ? listFolders(folder) : [];
  const files = [folder, ...categories.map((name) => join(folder, name))].map(resultsFile).filter(existsSync);
  const results = files.flatMap((file) => {
    const stored = readResult(readFileSync(file, "utf8"));
    if ("value" in stored) return [stored.value];
    notice(options, `${file} is not in the summary: ${stored.problem}`);
    return [];
  });
  if (results.length === 0) return;
  writeWhole(join(folder, "summary.json"), `${JSON.stringify({ results }, undefined, 2)}\n`);
  writeWhole(join(folder, "summary.csv"), summaryCsv(results));
  writeWhole(join(folder, "summary.md"), summaryMarkdown(results));
}
