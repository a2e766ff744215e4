/** `ddad adapt`. */
import { type AdaptRunOptions, adaptRun, openModel, unadapted } from "@ddad/node/internal";
import { checkpointOf, type ModelOptions } from "./checkpoint.ts";
import { eventPrinter } from "./events.ts";
import { untilInterrupted } from "./interrupt.ts";
import { askedBy, type ConfigOptions } from "./settings.ts";
import { changedCommand, printResult, repeatedCommand } from "./terminal.ts";

export type AdaptOptions = ConfigOptions &
  ModelOptions & { readonly resume?: boolean; readonly skipUnreadable?: boolean; readonly json?: boolean };

export async function runAdapt(options: AdaptOptions): Promise<void> {
  const { resume = false, skipUnreadable } = options;
  let [steps, saved] = [0, resume];
  const print = eventPrinter();
  const onEvent: AdaptRunOptions["onEvent"] = (event) => {
    if (event.type === "progress" && event.task === "step") steps = event.done - event.first;
    if (event.type === "checkpoint") saved = true;
    print(event);
  };
  const words = {
    saving: "saving the adaptation",
    stopped: () =>
      saved
        ? `Stopped. The adaptation is saved. Run this command to resume: ${resumingCommand()}`
        : `Stopped before the first step was done. Nothing is saved. Run this command to start again: ${repeatedCommand()}`,
    saves: () => steps > 0,
  };
  const done = await untilInterrupted(async (signal) => {
    const { path, model, config } = await openModel(
      checkpointOf(options, options),
      askedBy(options),
      unadapted,
    );
    const stage = { resume, skipUnreadable, signal, onEvent };
    return { path, of: config.adaptation.steps, ...(await adaptRun(path, { ...model, config }, stage)) };
  }, words);
  if (done === undefined) return;
  const { path, of, ...result } = done;
  const { kept, stopped } = result;
  printResult(
    options.json,
    { checkpoint: path, ...result },
    stopped === "by request"
      ? `Stopped. ${result.steps} of ${of} steps are saved. Run this command to resume: ${resumingCommand()}`
      : `adapted in ${result.steps} steps (ended ${describe[stopped]}), kept the network of step ${kept}: ${path}`,
  );
}

const resumingCommand = (): string => changedCommand(["--resume"], [], ["--resume"]);

const describe = {
  "after all steps": "after all of them",
  "held-out images": "early: no improvement on the validation images",
};
