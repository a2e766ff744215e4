/** `ddad run`: training, adaptation, calibration and evaluation of one category after another, and one table of all. */
import { existsSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { readCheckpoint } from "@ddad/nn";
import { formatConfig } from "../config/file.ts";
import { type Config, parseConfig } from "../config.ts";
import { findCategories } from "../datasets/folder.ts";
import { DataError } from "../errors.ts";
import { writeWhole } from "../files.ts";
import { decodeModel } from "../modelFile.ts";
import { type EvaluationResult, formatResults } from "../report/results.ts";
import { summaryCsv, summaryMarkdown } from "../report/summary.ts";
import { adaptInto } from "./adapt.ts";
import { evaluateModel } from "./evaluate.ts";
import { fitInto } from "./fit.ts";
import { adaptationStateFile, modelFile, openRun, stateFile } from "./model.ts";
import { type ConfigOptions, configOf } from "./settings.ts";
import { printResult, say } from "./terminal.ts";
import { trainInto } from "./train.ts";

export type PipelineOptions = ConfigOptions & {
  readonly out?: string;
  readonly categories?: string;
  readonly json?: boolean;
};

/** Which parts of a category's run are done; `stages.json` in its folder. */
type Stages = { trained?: true; adapted?: true };

/** A run ended by Ctrl-C. */
class Interrupted extends Error {}

export async function runPipeline(options: PipelineOptions): Promise<void> {
  const base = configOf(options);
  const folder = options.out ?? join("runs", basename(resolve(base.data.root)));
  const categories = categoriesOf(base, options.categories);
  const results: EvaluationResult[] = [];
  try {
    for (const category of categories) {
      if (category !== undefined) say(`\n${category} (${results.length + 1} of ${categories.length})`);
      const config =
        category === undefined ? base : parseConfig({ ...base, data: { ...base.data, category } });
      const own = categories.length > 1 && category !== undefined ? join(folder, category) : folder;
      results.push(await runOne(own, config));
      writeSummary(folder, results);
    }
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    say("stopped; the same command goes on");
    process.exitCode = 130;
  }
  if (results.length === 0) return;
  const text = `${formatResults(results)}\n\nsummary.json, summary.csv and summary.md are in ${folder}`;
  printResult(options.json, { results }, text);
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
async function runOne(folder: string, config: Config): Promise<EvaluationResult> {
  checkSettings(folder, config);
  const results = join(folder, "evaluation", "results.json");
  if (existsSync(results)) {
    say(`done already: ${results}`);
    return JSON.parse(readFileSync(results, "utf8")) as EvaluationResult;
  }
  const stages = readStages(folder);
  const path = join(folder, modelFile);
  if (!stages.trained && config.method === "patchcore") {
    await fitInto(folder, config);
    writeStages(folder, { trained: true });
  } else if (!stages.trained) {
    const resume = existsSync(join(folder, stateFile)) ? await openRun(folder) : undefined;
    const { interrupted } = await trainInto(folder, config, { resume });
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

/** A run that began with other settings is not gone on with. */
function checkSettings(folder: string, config: Config): void {
  const path = join(folder, "config.yaml");
  if (!existsSync(path) || readFileSync(path, "utf8") === formatConfig(config)) return;
  throw new DataError(
    `${folder} holds a run with other settings (${path}); run it with those, or choose another folder by --out.`,
  );
}

const stagesFile = "stages.json";

const readStages = (folder: string): Stages =>
  existsSync(join(folder, stagesFile))
    ? (JSON.parse(readFileSync(join(folder, stagesFile), "utf8")) as Stages)
    : {};

const writeStages = (folder: string, stages: Stages): void =>
  writeWhole(join(folder, stagesFile), JSON.stringify(stages));

function writeSummary(folder: string, results: readonly EvaluationResult[]): void {
  writeWhole(join(folder, "summary.json"), `${JSON.stringify({ results }, undefined, 2)}\n`);
  writeWhole(join(folder, "summary.csv"), summaryCsv(results));
  writeWhole(join(folder, "summary.md"), summaryMarkdown(results));
}
