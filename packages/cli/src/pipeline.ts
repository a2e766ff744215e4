/** `ddad run`: training, adaptation, calibration and evaluation of one category after another, and one table of all. */
import { basename, dirname, join, resolve } from "node:path";
import {
  type Config,
  DataError,
  type EvaluationResult,
  formatControls,
  formatDecisions,
  formatResults,
  publishedDatasets,
} from "@ddad/ddad/internal";
import {
  checkTuning,
  findCategories,
  missingTest,
  modelFile,
  type RunStagesOptions,
  removeRun,
  runStages,
  writeSummary,
} from "@ddad/node/internal";
import { eventPrinter, savesBetween } from "./events.ts";
import { describeFailure, forgetReached, isWrongUse } from "./failure.ts";
import { untilInterrupted } from "./interrupt.ts";
import { planRun } from "./plan.ts";
import { askedBy, type ConfigOptions, configOf } from "./settings.ts";
import { outputWidth, printResult, repeatedCommand, say, shellWord } from "./terminal.ts";

export type PipelineOptions = ConfigOptions & {
  readonly out?: string;
  readonly categories?: string;
  /** Choose the size and length of the run by what this machine does in about five minutes, or never. */
  readonly quick?: boolean;
  readonly full?: boolean;
  readonly overwrite?: boolean;
  readonly tune?: boolean;
  readonly skipUnreadable?: boolean;
  readonly json?: boolean;
};

export async function runPipeline(options: PipelineOptions): Promise<void> {
  const base = configOf(withPresetOf(options, undefined));
  if (options.tune) checkTuning(base);
  const categories = categoriesOf(base, options.categories);
  const configIn = (category: string | undefined): Config =>
    category === undefined ? base : configOf(withPresetOf(options, category));
  const { quick = false, full = false, overwrite = false, tune, skipUnreadable, out } = options;
  const usual = join("runs", basename(resolve(base.data.root)));
  const { onEvent, saves } = savesBetween(eventPrinter());
  let begun: string | undefined;
  const done = await untilInterrupted(
    async (signal) => {
      const plan = await planRun({
        ...{ asked: askedBy(withPresetOf(options, categories[0])), config: configIn(categories[0]) },
        ...{ out, usual, categories, signal, quick, full, overwrite },
      }).catch((error: unknown) => {
        throw signal.aborted ? signal.reason : error;
      });
      begun = plan.folder;
      const stage = { signal, onEvent, tune, skipUnreadable, firstLook: true };
      const configFor = (category: string | undefined) => plan.configFor(category, configIn(category));
      return { plan, ...(await runCategories(categories, plan.folder, configFor, overwrite, stage)) };
    },
    {
      saving: "saving the progress",
      stopped: () =>
        begun === undefined
          ? "Stopped before the run began."
          : `Stopped. Completed work is saved in ${begun}. Run this command to resume: ${repeatedCommand(["--overwrite"])}`,
      saves,
    },
  );
  if (done === undefined) return;
  const { plan, results, notEvaluated, failures } = done;
  const { folder } = plan;
  if (failures.length > 0) {
    throw new (failures.every(({ error }) => isWrongUse(error)) ? DataError : Error)(
      [
        `${failures.length} of ${categories.length} categories failed; what there is of the others is in ${folder}.`,
        ...failures.map(({ category, message }) => `${category}: ${message}`),
      ].join("\n"),
    );
  }
  const single = categories.length === 1 && categories[0] === undefined;
  const text = [
    ...(results.length > 0
      ? [
          formatResults(results, "text", outputWidth()),
          "",
          formatDecisions(results, "text", outputWidth()),
          "",
          ...formatControls(results).flatMap((line) => [line, ""]),
          `summary.json, summary.csv and summary.md are in ${folder}; ddad report ${shellWord(folder)} explains the numbers.`,
          ...(single ? [`To inspect images:\n  ddad predict FOLDER --checkpoint ${shellWord(folder)}`] : []),
        ]
      : []),
    ...notEvaluated.map(
      ({ checkpoint, reason }) =>
        `The run is complete: ${checkpoint}\n${reason} To inspect images:\n  ddad predict FOLDER --checkpoint ${shellWord(dirname(checkpoint))}`,
    ),
    ...(plan.next === undefined ? [] : ["", plan.next]),
  ].join("\n");
  printResult(options.json, { results, ...(notEvaluated.length > 0 && { notEvaluated }) }, text);
}

/** What became of the categories of a run. */
type Outcome = {
  readonly results: readonly EvaluationResult[];
  readonly notEvaluated: readonly { readonly checkpoint: string; readonly reason: string }[];
  readonly failures: readonly {
    readonly category: string | undefined;
    readonly error: Error;
    readonly message: string;
  }[];
};

/** Runs one category after another. @throws the reason of the signal; with one category alone, what is wrong with it */
async function runCategories(
  categories: readonly (string | undefined)[],
  folder: string,
  configFor: (category: string | undefined) => Config,
  overwrite: boolean,
  stage: RunStagesOptions,
): Promise<Outcome> {
  const results: EvaluationResult[] = [];
  const notEvaluated: Outcome["notEvaluated"][number][] = [];
  const failures: Outcome["failures"][number][] = [];
  for (const [index, category] of categories.entries()) {
    if (category !== undefined) say(`\n${category} (${index + 1} of ${categories.length})`);
    forgetReached();
    try {
      const config = configFor(category);
      const own = category === undefined ? folder : join(folder, category);
      if (overwrite) removeRun(own);
      const result = await runStages(own, config, stage);
      if (result) results.push(result);
      else notEvaluated.push({ checkpoint: join(own, modelFile), reason: missingTest(config)! });
    } catch (error) {
      // What is wrong with one category must not keep a night's run from the others.
      const stopped = stage.signal?.aborted === true && error === stage.signal.reason;
      if (stopped || categories.length === 1 || !(error instanceof Error)) throw error;
      const message = describeFailure(error);
      failures.push({ category, error, message });
      say(`error: ${category}: ${message}`);
    }
    writeSummary(folder, stage);
  }
  return { results, notEvaluated, failures };
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

/** The categories asked for, or all of them, or undefined for a root that is a data set itself. */
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
