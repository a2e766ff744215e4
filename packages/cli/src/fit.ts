/** `ddad train` by a method that trains nothing. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DataError } from "@ddad/ddad/internal";
import { checkTuning, fitRun, modelFile, runFolder } from "@ddad/node/internal";
import { eventPrinter } from "./events.ts";
import { untilInterrupted } from "./interrupt.ts";
import { type ConfigOptions, configOf } from "./settings.ts";
import { printResult, repeatedCommand } from "./terminal.ts";

export type FitOptions = ConfigOptions & {
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly tune?: boolean;
  readonly skipUnreadable?: boolean;
  readonly json?: boolean;
};

export async function runFit(options: FitOptions): Promise<void> {
  const config = configOf(options);
  if (options.tune) checkTuning(config);
  const folder = options.out ?? runFolder(config);
  const path = join(folder, modelFile);
  if (existsSync(path) && !options.overwrite) {
    throw new DataError(
      `${folder} already holds a run; replace it with --overwrite, or choose another folder with --out.`,
    );
  }
  const { skipUnreadable } = options;
  const result = await untilInterrupted(
    (signal) => fitRun(folder, config, { signal, onEvent: eventPrinter(), skipUnreadable }),
    {
      saving: "discarding what is incomplete",
      stopped: () => `Stopped. Nothing is saved. Run this command to start again: ${repeatedCommand()}`,
    },
  );
  if (result === undefined) return;
  const { images, patches, seconds } = result;
  const kept = [images && `${images} images`, patches && `${patches} patches`].filter(Boolean).join(" and ");
  printResult(
    options.json,
    { method: config.method, images, patches, seconds, checkpoint: path },
    `kept ${kept} in ${seconds.toFixed(0)} s: ${path}`,
  );
}
