/** `ddad adapt`. */
import { adaptRun, openModel, unadapted } from "@ddad/node/internal";
import { checkpointOf, type ModelOptions } from "./checkpoint.ts";
import { eventPrinter } from "./events.ts";
import { stopOnInterrupt } from "./interrupt.ts";
import { askedBy, type ConfigOptions } from "./settings.ts";
import { printResult } from "./terminal.ts";

export type AdaptOptions = ConfigOptions &
  ModelOptions & { readonly resume?: boolean; readonly skipUnreadable?: boolean; readonly json?: boolean };

export async function runAdapt(options: AdaptOptions): Promise<void> {
  const { path, model, config } = await openModel(
    checkpointOf(options, options),
    askedBy(options),
    unadapted,
  );
  using interrupt = stopOnInterrupt();
  const { signal } = interrupt;
  const { resume, skipUnreadable } = options;
  const result = await adaptRun(
    path,
    { ...model, config },
    { resume, skipUnreadable, signal, onEvent: eventPrinter() },
  );
  const { steps, kept, stopped } = result;
  printResult(
    options.json,
    { checkpoint: path, ...result },
    signal.aborted
      ? `Stopped after ${steps} of ${config.adaptation.steps} steps. Run ddad adapt --resume to resume.`
      : `adapted in ${steps} steps (ended ${describe[stopped]}), kept the network of step ${kept}: ${path}`,
  );
  if (signal.aborted) process.exitCode = 130;
}

const describe = {
  "after all steps": "after all of them",
  "held-out images": "early: no improvement on the validation images",
  "by request": "by request",
};
