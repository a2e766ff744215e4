/** `ddad train`. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setupDevice } from "@ddad/nn";
import { formatConfig } from "../config/file.ts";
import type { Config } from "../config.ts";
import { DataError } from "../errors.ts";
import { writeWhole } from "../files.ts";
import { describeHeldOutLoss } from "../heldOutLoss.ts";
import { encodeModel, encodeTrainingState, type Model, type TrainingState } from "../modelFile.ts";
import { describeTrainingMemory } from "../trainingMemory.ts";
import { type TrainingResult, train, tuneTraining } from "../trainingRun.ts";
import { completeInto } from "./complete.ts";
import { loadTraining } from "./data.ts";
import { checkWeights } from "./detector.ts";
import { runFit } from "./fit.ts";
import { stopOnInterrupt } from "./interrupt.ts";
import { forgetModel, modelFile, openRun, stateFile } from "./model.ts";
import { askedBy, type ConfigOptions, configOf, configOver, runFolder } from "./settings.ts";
import { Progress, printResult, say } from "./terminal.ts";
import { tuneAloud } from "./tune.ts";

export type TrainOptions = ConfigOptions & {
  readonly out?: string;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  readonly stopAfter?: number;
  readonly tune?: boolean;
  readonly json?: boolean;
};

/** Settings that a run keeps for life; the others say where data are, how long it takes, and what comes after. */
const fixedInRun = [
  ...["protocol", "model", "diffusion", "data.category", "data.imageSize", "data.heldOut", "data.splitSeed"],
  ...["batchSize", "learningRate", "schedule", "warmup", "optimizer", "weightDecay", "lossReduction"].map(
    (key) => `training.${key}`,
  ),
  ...["clip", "ema", "maxTimestep", "seed"].map((key) => `training.${key}`),
];

export async function runTrain(options: TrainOptions): Promise<void> {
  // Not of a complete configuration: a run is resumed without one.
  if (askedBy(options)["method"] === "patchcore") return runFit(options);
  const folder = options.out ?? runFolder(configOf(options));
  const resume = options.resume ? await openRun(folder) : undefined;
  const config = resume
    ? configOver(
        resume.state.config,
        options,
        fixedInRun,
        "a resumed run keeps it; start another run with --out",
      )
    : configOf(options);
  if (!resume && !options.overwrite && existsSync(join(folder, stateFile))) {
    throw new DataError(
      `${folder} already holds a run; go on with it by --resume, replace it by --overwrite, or choose another folder by --out.`,
    );
  }
  if (resume && resume.state.step >= config.training.steps) {
    say(`the run in ${folder} is complete: it has all its ${config.training.steps} steps`);
  }
  const { result, interrupted } = await trainInto(folder, config, { ...options, resume });
  const { steps, loss, imagesPerSecond } = result;
  const checkpoint = join(folder, result.model ? modelFile : stateFile);
  printResult(
    options.json,
    { steps, loss, imagesPerSecond, checkpoint, heldOutLoss: result.heldOutLoss ?? null },
    describeTraining(result, config, folder, checkpoint),
  );
  if (interrupted) process.exitCode = 130;
}

function describeTraining(
  { steps, loss, imagesPerSecond, stopped }: TrainingResult,
  { training }: Config,
  folder: string,
  checkpoint: string,
): string {
  if (stopped)
    return `stopped after ${steps} of ${training.steps} steps; go on with ddad train --resume --out ${folder}`;
  if (Number.isNaN(loss)) return `nothing was left to train, all ${steps} steps are done: ${checkpoint}`;
  return `trained ${steps} steps, loss ${loss.toPrecision(4)}, ${imagesPerSecond.toPrecision(3)} pictures/s: ${checkpoint}`;
}

export type TrainIntoOptions = {
  readonly resume?: { readonly state: TrainingState; readonly best: Model | undefined } | undefined;
  readonly stopAfter?: number;
  /** Measures the kernels of a step first. */
  readonly tune?: boolean;
};

/** Trains in a folder: configuration, states at an interval and on Ctrl-C, and the best model, calibrated at the end. */
export async function trainInto(
  folder: string,
  config: Config,
  { resume, stopAfter, tune = false }: TrainIntoOptions = {},
): Promise<{ result: TrainingResult; interrupted: boolean }> {
  checkWeights(config);
  const pictures = await loadTraining(config, folder, resume !== undefined);
  const device = await setupDevice();
  say(
    `training on ${pictures.train.ids.length} pictures (${pictures.heldOut.ids.length} held out), ${device.name}`,
  );
  const trains = !resume || resume.state.step < config.training.steps;
  // Before the model of an earlier run is gone, and before Ctrl-C waits for a step to end.
  if (tune && trains) await tuneAloud((options) => tuneTraining({ config, ...pictures }, options));
  writeWhole(join(folder, "config.yaml"), formatConfig(config));
  if (trains) forgetModel(folder);
  using interrupt = stopOnInterrupt();
  const progress = new Progress("step", "steps", resume?.state.step);
  const result = await train({
    config,
    ...pictures,
    resume,
    signal: interrupt.signal,
    stopAfter,
    onMemory: (memory) => say(describeTrainingMemory(memory)),
    onNotice: say,
    onProgress: ({ step, steps, loss, imagesPerSecond, heldOutLoss }) => {
      progress.update(
        step,
        steps,
        `loss ${loss.toPrecision(4)} · ${imagesPerSecond.toPrecision(3)} pictures/s`,
      );
      if (heldOutLoss) say(`step ${step}: ${describeHeldOutLoss(heldOutLoss)}`);
    },
    onBest: (model) => writeWhole(join(folder, modelFile), encodeModel(model)),
    onCheckpoint: (state) => writeWhole(join(folder, stateFile), encodeTrainingState(state)),
  });
  if (result.stopped) progress.stop();
  else if (result.model) {
    await completeInto(join(folder, modelFile), withSettings(result.model, config), pictures.heldOut);
  }
  return { result, interrupted: interrupt.signal.aborted };
}

/** The best model may be of before a resume: what comes after the training goes by the settings of now. */
function withSettings(model: Model, config: Config): Model {
  const { extractor, adaptedSteps, ...own } = model;
  const { network, weights } = model.config.features;
  const same = network === config.features.network && weights === config.features.weights;
  return { ...own, config, ...(same && { extractor, adaptedSteps }) };
}
