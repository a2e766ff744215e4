/** `ddad run`: training, adaptation, calibration and evaluation of one category after another, and one table of all. */
import { existsSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { readCheckpoint } from "@ddad/nn";
import * as z from "zod";
import { publishedDatasets } from "../config/categories.ts";
import { readConfigFile } from "../config/file.ts";
import { mergeConfig } from "../config/settings.ts";
import type { Config } from "../config.ts";
import { findCategories } from "../datasets/folder.ts";
import { listFolders } from "../datasets/listing.ts";
import { ConfigError, DataError } from "../errors.ts";
import { writeWhole } from "../files.ts";
import { decodeModel } from "../modelFile.ts";
import { type EvaluationResult, formatResults } from "../report/results.ts";
import { readResult } from "../report/storedEvaluation.ts";
import { summaryCsv, summaryMarkdown } from "../report/summary.ts";
import { adaptInto } from "./adapt.ts";
import { evaluateModel } from "./evaluate.ts";
import { fitInto } from "./fit.ts";
import { adaptationStateFile, modelFile, openRun, resultsFile, stagesFile, stateFile } from "./model.ts";
import { type ConfigOptions, configOf } from "./settings.ts";
import { printResult, say } from "./terminal.ts";
import { trainInto } from "./train.ts";
import { checkTuning } from "./tune.ts";

export type PipelineOptions = ConfigOptions & {
  readonly out?: string;
  readonly categories?: string;
  readonly tune?: boolean;
  readonly json?: boolean;
};

/** Which parts of a category's run are done; `stages.json` in its folder. */
const stagesSchema = z.object({ trained: z.literal(true).optional(), adapted: z.literal(true).optional() });
type Stages = z.infer<typeof stagesSchema>;

/** A run ended by Ctrl-C. */
class Interrupted extends Error {}

export async function runPipeline(options: PipelineOptions): Promise<void> {
  const base = configOf(withPresetOf(options, undefined));
  if (options.tune) checkTuning(base);
  const folder = options.out ?? join("runs", basename(resolve(base.data.root)));
  const categories = categoriesOf(base, options.categories);
  const results: EvaluationResult[] = [];
  const failures: { category: string | undefined; error: Error }[] = [];
  for (const [index, category] of categories.entries()) {
    if (category !== undefined) say(`\n${category} (${index + 1} of ${categories.length})`);
    try {
      const config = category === undefined ? base : configOf(withPresetOf(options, category));
      const own = category === undefined ? folder : join(folder, category);
      results.push(await runOne(own, config, options.tune));
    } catch (error) {
      if (error instanceof Interrupted) {
        say("stopped; the same command goes on");
        process.exitCode = 130;
        break;
      }
      // What is wrong with one category must not keep a night's run from the others.
      if (categories.length === 1 || !(error instanceof Error)) throw error;
      failures.push({ category, error });
      say(`error: ${category}: ${error.message}`);
    }
    writeSummary(folder);
  }
  if (failures.length > 0) {
    const wrongUse = failures.every(
      ({ error }) => error instanceof DataError || error instanceof ConfigError,
    );
    throw new (wrongUse ? DataError : Error)(
      [
        `${failures.length} of ${categories.length} categories failed; what there is of the others is in ${folder}.`,
        ...failures.map(({ category, error }) => `${category}: ${error.message}`),
      ].join("\n"),
    );
  }
  if (results.length === 0) return;
  const text = `${formatResults(results)}\n\nsummary.json, summary.csv and summary.md are in ${folder}`;
  printResult(options.json, { results }, text);
}

/** The options for one category: `--preset mvtec` stands for what was published for each, such as mvtec/screw. */
function withPresetOf(options: PipelineOptions, category: string | undefined): PipelineOptions {
  const { preset, set } = options;
  const names = (preset?.split("+") ?? []).map((name) => name.trim());
  const own = names.flatMap((name) => {
    if (!publishedDatasets.includes(name)) return [name];
    return category === undefined ? [] : [`${name}/${category}`];
  });
  const { preset: _, ...others } = options;
  return {
    ...others,
    ...(own.length > 0 && { preset: own.join("+") }),
    set: category === undefined ? set : [...set, `data.category=${category}`],
  };
}

/** The categories asked for, all that there are, or undefined for a root that is a data set itself. */
function categoriesOf({ data }: Config, asked: string | undefined): (string | undefined)[] {
  if (asked !== undefined) {
    const names = asked.split(",").map((name) => name.trim());
    if (names.some((name) => name === ""))
      throw new DataError("--categories must be names with commas between them.");
    return names;
  }
  if (data.category !== undefined) return [data.category];
  const found = findCategories(data.root);
  return found.length > 0 ? found : [undefined];
}

/** One category, from where it stopped. */
async function runOne(folder: string, config: Config, tune = false): Promise<EvaluationResult> {
  checkSettings(folder, config);
  const results = resultsFile(folder);
  if (existsSync(results)) {
    const stored = readResult(readFileSync(results, "utf8"));
    if ("problem" in stored) {
      throw new DataError(`${results} is damaged (${stored.problem}); remove it, and it is evaluated again.`);
    }
    say(`done already: ${results}`);
    return stored.value;
  }
  const stages = readStages(folder);
  const path = join(folder, modelFile);
  if (!stages.trained && config.method === "patchcore") {
    await fitInto(folder, config);
    writeStages(folder, { trained: true });
  } else if (!stages.trained) {
    const resume = existsSync(join(folder, stateFile)) ? await openRun(folder) : undefined;
    const { interrupted } = await trainInto(folder, config, { resume, tune });
    if (interrupted) throw new Interrupted();
    writeStages(folder, { trained: true });
  }
  const adapts =
    config.method === "ddad" && config.features.network !== "none" && config.adaptation.steps > 0;
  if (adapts && !stages.adapted) {
    const model = decodeModel(await readCheckpoint(path), path);
    const { interrupted } = await adaptInto(
      path,
      { ...model, config },
      existsSync(join(folder, adaptationStateFile)),
    );
    if (interrupted) throw new Interrupted();
    writeStages(folder, { trained: true, adapted: true });
  }
  const model = decodeModel(await readCheckpoint(path), path);
  return (await evaluateModel(model, config, path, join(folder, "evaluation"))).result;
}

/** A run that began with other settings is not gone on with; what memory it may take changes no result. */
function checkSettings(folder: string, config: Config): void {
  const path = join(folder, "config.yaml");
  const settings = (of: object): string =>
    JSON.stringify(mergeConfig(of, { training: { memory: undefined } }));
  if (!existsSync(path) || settings(readConfigFile(path)) === settings(config)) return;
  throw new DataError(
    `${folder} holds a run with other settings (${path}); run it with those, or choose another folder by --out.`,
  );
}

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

/** Sums up all that was evaluated in a folder, by this command or an earlier one; what cannot be read is told and left out. */
function writeSummary(folder: string): void {
  const categories = existsSync(folder) ? listFolders(folder) : [];
  const files = [folder, ...categories.map((name) => join(folder, name))].map(resultsFile).filter(existsSync);
  const results = files.flatMap((file) => {
    const stored = readResult(readFileSync(file, "utf8"));
    if ("value" in stored) return [stored.value];
    say(`${file} is not in the summary: ${stored.problem}`);
    return [];
  });
  writeWhole(join(folder, "summary.json"), `${JSON.stringify({ results }, undefined, 2)}\n`);
  writeWhole(join(folder, "summary.csv"), summaryCsv(results));
  writeWhole(join(folder, "summary.md"), summaryMarkdown(results));
}
