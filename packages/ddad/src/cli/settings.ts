/** Where the configuration of a command comes from: a file, `--preset`, `--set` and `--data`, on top of a model's own. */
import { join } from "node:path";
import { describeTranslation } from "../config/ddadYaml.ts";
import { openConfigFile } from "../config/file.ts";
import { presetSettings } from "../config/presets.ts";
import { type ConfigRecord, configKeys, mergeConfig, parseSettings } from "../config/settings.ts";
import { type Config, configSchema, parseConfig } from "../config.ts";
import { openDataset } from "../datasets/folder.ts";
import { ConfigError } from "../errors.ts";
import { say } from "./terminal.ts";

export type ConfigOptions = {
  readonly config?: string;
  readonly preset?: string;
  readonly method?: string;
  /** `training.memory`. */
  readonly memory?: string;
  readonly set: readonly string[];
  readonly data?: string;
};

/** Options whose file has been reported on: a command may ask for its configuration more than once. */
const reported = new WeakSet<ConfigOptions>();

/** What was asked for, as it stands, not completed; what became of a file of the published code is said on standard error. */
export function askedBy(options: ConfigOptions): ConfigRecord {
  const { config, preset, method, memory, set, data } = options;
  const settings = parseSettings(
    [
      ...(preset === undefined ? [] : [`preset=${preset}`]),
      ...(method === undefined ? [] : [`method=${method}`]),
      ...(memory === undefined ? [] : [`training.memory=${memory}`]),
      ...set,
      ...(data === undefined ? [] : [`data.root=${data}`]),
    ],
    configSchema,
  );
  if (config === undefined) return settings;
  const file = openConfigFile(config, settings);
  if (file.translation && !reported.has(options)) {
    reported.add(options);
    for (const line of describeTranslation(config, file.translation)) say(line);
  }
  return mergeConfig(file.settings, settings);
}

/** The configuration that was asked for, complete. @throws ConfigError */
export function configOf(options: ConfigOptions): Config {
  if (options.config === undefined && options.data === undefined && options.set.length === 0) {
    throw new ConfigError(["Nothing says where the pictures are: give --data <folder>, or --config <file>."]);
  }
  return parseConfig(askedBy(options));
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
  const asked = askedBy(options);
  const context = mergeConfig(stored, asked);
  // What is stored is complete: a preset would change nothing below it.
  const preset = asked["preset"] === undefined ? {} : presetSettings(context);
  const config = parseConfig(mergeConfig(mergeConfig(context, preset), asked));
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
