/** Settings that change what a run or a model has stored. */
import { join, resolve } from "node:path";
import {
  type Config,
  ConfigError,
  type ConfigRecord,
  mergeConfig,
  parseConfig,
  presetSettings,
  settingAt,
} from "@ddad/ddad/internal";
import { openDataset } from "./datasets/dataset.ts";

/**
 * What was asked for, on top of a configuration that was stored.
 *
 * @param fixed settings that must stay as they were stored
 * @param reason why one of them must, as the rest of a sentence
 * @throws ConfigError naming every one that does not.
 */
export function configOver(
  stored: Config,
  asked: ConfigRecord,
  fixed: readonly string[],
  reason: (setting: string) => string,
): Config {
  const context = mergeConfig(stored, asked);
  // What is stored is complete: a preset would change nothing below it.
  const preset = asked["preset"] === undefined ? {} : presetSettings(context);
  const config = parseConfig(mergeConfig(mergeConfig(context, preset), asked));
  const problems = fixed
    .filter((path) => show(config, path) !== show(stored, path))
    .map(
      (path) => `${path} is ${show(stored, path)} and cannot become ${show(config, path)}: ${reason(path)}.`,
    );
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

function show(config: Config, path: string): string {
  const value = settingAt(config, path);
  return value === undefined ? "not set" : JSON.stringify(value);
}

/** The folder of a run that was given no other. */
export const runFolder = ({ data }: Config): string => join("runs", openDataset(data.root, data).name);

/** A configuration whose paths of images are absolute: a folder may be named in several ways. */
export function atRoot(config: Config): Config {
  const { root, test } = config.data;
  const data = { ...config.data, root: resolve(root), ...(test !== undefined && { test: resolve(test) }) };
  return { ...config, data };
}
