/** Where the configuration of a command comes from: a file, `--set` and `--data`, on top of a model's own. */
import { join } from "node:path";
import { loadConfig, readConfigFile } from "../config/file.ts";
import { configKeys, mergeConfig, parseSettings } from "../config/settings.ts";
import { type Config, configSchema, parseConfig } from "../config.ts";
import { openDataset } from "../datasets/folder.ts";
import { ConfigError } from "../errors.ts";

export type ConfigOptions = {
  readonly config?: string;
  readonly set: readonly string[];
  readonly data?: string;
};

const settingsOf = ({ set, data }: ConfigOptions): string[] => [
  ...set,
  ...(data === undefined ? [] : [`data.root=${data}`]),
];

/** The configuration that was asked for, complete. @throws ConfigError */
export function configOf(options: ConfigOptions): Config {
  if (options.config === undefined && options.data === undefined && options.set.length === 0) {
    throw new ConfigError(["Nothing says where the pictures are: give --data <folder>, or --config <file>."]);
  }
  return loadConfig(options.config, settingsOf(options));
}

/**
 * What was asked for, on top of a configuration that was stored.
 *
 * @param fixed settings, or sections of them, that must stay as they were stored, because `reason`.
 * @throws ConfigError naming every one that does not.
 */
export function configOver(
  stored: Config,
  options: ConfigOptions,
  fixed: readonly string[],
  reason: string,
): Config {
  const file = options.config === undefined ? {} : readConfigFile(options.config);
  const asked = mergeConfig(file, parseSettings(settingsOf(options), configSchema));
  const config = parseConfig(mergeConfig(stored, asked));
  const problems = configKeys(configSchema)
    .map(({ path }) => path)
    .filter((path) => fixed.some((part) => path === part || path.startsWith(`${part}.`)))
    .filter((path) => show(config, path) !== show(stored, path))
    .map((path) => `${path} is ${show(stored, path)} and cannot become ${show(config, path)}: ${reason}.`);
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

function show(config: Config, path: string): string {
  const value = path
    .split(".")
    .reduce<unknown>((section, key) => (section as Record<string, unknown> | undefined)?.[key], config);
  return value === undefined ? "not set" : JSON.stringify(value);
}

/** The folder of a run that was given no other. */
export const runFolder = ({ data }: Config): string => join("runs", openDataset(data.root, data).name);
