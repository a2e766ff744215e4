/** All stages of a run, one after another: training, adaptation, calibration and evaluation. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Config,
  DataError,
  decodeModel,
  type EvaluationResult,
  mergeConfig,
  readResult,
  settingAt,
  summaryCsv,
  summaryMarkdown,
} from "@ddad/ddad/internal";
import { readCheckpoint } from "@ddad/nn";
import * as z from "zod";
import { readConfigFile } from "../configFile.ts";
import { listFolders } from "../datasets/listing.ts";
import { notice, type StageOptions } from "../events.ts";
import { writeWhole } from "../files.ts";
import { calibrationState } from "../model/calibrationState.ts";
import {
  adaptationStateFile,
  modelFile,
  openRun,
  resultsFile,
  stagesFile,
  stateFile,
} from "../model/open.ts";
import { lockRun } from "../runLock.ts";
import { adaptRun } from "./adapt.ts";
import { evaluateModel } from "./evaluate.ts";
import { fitRun } from "./fit.ts";
import { trainRun } from "./train.ts";

/** Options of `runStages`. */
export interface RunStagesOptions extends StageOptions {
  /** Measures the kernels of a training step first. */
  readonly tune?: boolean | undefined;
}

/** Which parts of a category's run are done; `stages.json` in its folder. */
const stagesSchema = z.object({ trained: z.literal(true).optional(), adapted: z.literal(true).optional() });
type Stages = z.infer<typeof stagesSchema>;

/**
 * Trains, adapts, calibrates and evaluates one data set in a folder, from the stage at which it stopped.
 *
 * @throws DataError where the folder holds a run with other settings; the reason of the signal where it is aborted, and then the same
 * call resumes
 */
export async function runStages(
  folder: string,
  asked: Config,
  options: RunStagesOptions = {},
): Promise<EvaluationResult> {
  const { tune, signal } = options;
  using _ = lockRun(folder);
  const config = settingsFor(folder, asked, options);
  const results = resultsFile(folder);
  if (existsSync(results)) {
    const stored = readResult(readFileSync(results, "utf8"));
    if ("problem" in stored) {
      throw new DataError(`${results} is damaged (${stored.problem}); remove it, and it is evaluated again.`);
    }
    const state = calibrationState(results, stored.value);
    if (state === undefined || state === "current") {
      notice(options, `done already: ${results}`);
      return stored.value;
    }
    notice(options, `${results} was made with ${state}; evaluating again`);
  }
  const stages = readStages(folder);
  const path = join(folder, modelFile);
  if (!stages.trained && config.method === "patchcore") {
    await fitRun(folder, config, options);
    writeStages(folder, { trained: true });
  } else if (!stages.trained) {
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
  const model = decodeModel(await readCheckpoint(path), path);
  const { result } = await evaluateModel(model, config, path, {
    ...options,
    out: join(folder, "evaluation"),
  });
  return result;
}

/**
 * The settings of a run: those asked for. One that began with others is not resumed; its memory and its false-alarm rate change nothing that
 * is trained. A run of a version that turned no images keeps to that.
 */
function settingsFor(folder: string, asked: Config, options: StageOptions): Config {
  const path = join(folder, "config.yaml");
  if (!existsSync(path)) return asked;
  const stored = readConfigFile(path);
  const turned = settingAt(stored, "data.orientation") !== undefined;
  const config: Config = turned ? asked : { ...asked, data: { ...asked.data, orientation: "stored" } };
  const settings = (of: object): string =>
    JSON.stringify(
      mergeConfig(of, {
        training: { memory: undefined },
        detection: { falseAlarmRate: undefined },
        ...(!turned && storedRules),
      }),
    );
  if (settings(stored) !== settings(config)) {
    throw new DataError(
      `${folder} holds a run with other settings (${path}); run it with those, or choose another folder by --out.`,
    );
  }
  if (!turned && asked.data.orientation === "exif")
    notice(options, `the run in ${folder} began without data.orientation: images stay as they are stored`);
  return config;
}

const storedRules = { data: { orientation: "stored" } };

function readStages(folder: string): Stages {
  const path = join(folder, stagesFile);
  if (!existsSync(path)) return {};
  try {
    return stagesSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    throw new DataError(
      `${path} is damaged, so nothing says what of the run is done; restore it from a copy, or choose another folder by --out.`,
      { cause },
    );
  }
}

const writeStages = (folder: string, stages: Stages): void =>
  writeWhole(join(folder, stagesFile), JSON.stringify(stages));

/** Sums up all that was evaluated in a folder, by this command or an earlier one; what cannot be read is left out with a notice. */
export function writeSummary(folder: string, options: StageOptions = {}): void {
  const categories = existsSync(folder) ? listFolders(folder) : [];
  const files = [folder, ...categories.map((name) => join(folder, name))].map(resultsFile).filter(existsSync);
  const results = files.flatMap((file) => {
    const stored = readResult(readFileSync(file, "utf8"));
    if ("value" in stored) return [stored.value];
    notice(options, `${file} is not in the summary: ${stored.problem}`);
    return [];
  });
  writeWhole(join(folder, "summary.json"), `${JSON.stringify({ results }, undefined, 2)}\n`);
  writeWhole(join(folder, "summary.csv"), summaryCsv(results));
  writeWhole(join(folder, "summary.md"), summaryMarkdown(results));
}
