/** Which model a command works with. */
import { existsSync } from "node:fs";
import { DataError } from "@ddad/ddad/internal";
import { runFolder } from "@ddad/node/internal";
import { type ConfigOptions, configOf } from "./settings.ts";

export type ModelOptions = { readonly checkpoint?: string };

/** The path that was given, or the run of the data set. @throws DataError where there is neither */
export function checkpointOf({ checkpoint }: ModelOptions, options?: ConfigOptions): string {
  if (checkpoint !== undefined) return checkpoint;
  if (options === undefined)
    throw new DataError("No model given: pass --checkpoint PATH (a model file, or the folder of a run).");
  if (options.config === undefined && options.data === undefined && options.set.length === 0) {
    throw new DataError(
      "No model given: pass --checkpoint PATH (a model file, or the folder of a run), or --data FOLDER for its run in runs.",
    );
  }
  const folder = runFolder(configOf(options));
  if (existsSync(folder)) return folder;
  throw new DataError(`There is no run in ${folder}: train one with ddad train, or pass --checkpoint PATH.`);
}
