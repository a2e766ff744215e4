/** `ddad train`. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { boundSettings, type Config, DataError, type TrainingResult } from "@ddad/ddad/internal";
import { configOver, modelFile, openRun, runFolder, stateFile, trainRun } from "@ddad/node/internal";
import { eventPrinter, savesBetween } from "./events.ts";
import { runFit } from "./fit.ts";
import { endAtOnce, interrupted, untilInterrupted } from "./interrupt.ts";
import { askedBy, type ConfigOptions, configOf } from "./settings.ts";
import { printResult, repeatedCommand, say, shellWord } from "./terminal.ts";

export type TrainOptions = ConfigOptions & {
  readonly out?: string;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  readonly stopAfter?: number;
  readonly tune?: boolean;
  readonly skipUnreadable?: boolean;
  readonly json?: boolean;
};

export async function runTrain(options: TrainOptions): Promise<void> {
  // Not of a complete configuration: a run is resumed without one.
  if ((askedBy(options)["method"] ?? "ddad") !== "ddad") return runFit(options);
  const folder = options.out ?? runFolder(configOf(options));
  const resume = options.resume ? await openRun(folder) : undefined;
  const config = resume
    ? configOver(
        resume.state.config,
        askedBy(options),
        boundSettings("run"),
        () => "a resumed run keeps it; start another run with --out",
      )
    : configOf(options);
  if (!resume && !options.overwrite && existsSync(join(folder, stateFile))) {
    throw new DataError(
      `${folder} already holds a run; resume it with --resume, replace it with --overwrite, or choose another folder with --out.`,
    );
  }
  const first = resume?.state.step ?? 0;
  let saved = resume !== undefined;
  const { onEvent, saves } = savesBetween(eventPrinter());
  const { stopAfter, tune, skipUnreadable } = options;
  const words = {
    saving: "saving the progress",
    stopped: () =>
      saved
        ? stoppedText(folder, "The training is saved.")
        : `Stopped before the first step was done. Nothing is saved. Run this command to start again: ${repeatedCommand()}`,
    saves,
  };
  const result = await untilInterrupted(
    (signal) =>
      trainRun(folder, config, {
        ...{ resume, stopAfter, tune, skipUnreadable, signal },
        onEvent(event) {
          if (event.type === "checkpoint") saved = true;
          onEvent(event);
        },
      }),
    words,
  );
  if (result === undefined) return;
  // While kernels are compiled, and the model is calibrated, there is nothing new to save.
  if (process.exitCode === interrupted && result.steps === first) {
    say(words.stopped());
    return endAtOnce();
  }
  const { steps, loss, imagesPerSecond } = result;
  const checkpoint = join(folder, result.model ? modelFile : stateFile);
  printResult(
    options.json,
    { steps, loss, imagesPerSecond, checkpoint, validationLoss: result.validationLoss ?? null },
    describeTraining(result, config, folder, checkpoint),
  );
}

const stoppedText = (folder: string, what: string): string =>
  `Stopped. ${what} Run this command to resume: ddad train --resume --out ${shellWord(folder)}`;

function describeTraining(
  { steps, loss, imagesPerSecond, stopped }: TrainingResult,
  { training }: Config,
  folder: string,
  checkpoint: string,
): string {
  if (stopped) return stoppedText(folder, `${steps} of ${training.steps} steps are saved.`);
  if (Number.isNaN(loss))
    return `The run is complete: all ${steps} steps are done, the model is ${checkpoint}`;
  return `trained ${steps} steps, loss ${loss.toPrecision(4)}, ${imagesPerSecond.toPrecision(3)} images/s: ${checkpoint}`;
}
