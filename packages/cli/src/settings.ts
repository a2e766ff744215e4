/** Where the configuration of a command comes from: a file, `--preset`, `--set` and `--data`. */
import { resolve } from "node:path";
import {
  type Config,
  ConfigError,
  type ConfigRecord,
  configSchema,
  describeTranslation,
  isRecord,
  mergeConfig,
  parseConfig,
  parseSettings,
  translateRenamed,
} from "@ddad/ddad/internal";
import { openConfigFile } from "@ddad/node/internal";
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
const renamed = new WeakSet<ConfigOptions>();

/** What was asked for, as it stands, not completed; what became of the keys of a file of the published code is printed. */
export function askedBy(options: ConfigOptions): ConfigRecord {
  const { config, preset, method, memory, set, data } = options;
  const settings = parseSettings(
    [
      ...(preset === undefined ? [] : [`preset=${preset}`]),
      ...(method === undefined ? [] : [`method=${method}`]),
      ...(memory === undefined ? [] : [`training.memory=${memory}`]),
      ...set,
      ...(data === undefined ? [] : [`data.root=${resolve(data)}`]),
    ],
    configSchema,
  );
  if (config === undefined) return current(options, absolute(settings));
  const file = openConfigFile(config, settings);
  if (file.translation && !reported.has(options)) {
    reported.add(options);
    for (const line of describeTranslation(config, file.translation)) say(line);
  }
  return current(options, absolute(mergeConfig(file.settings, settings)));
}

/** Settings whose paths of images are absolute, so that a run can be resumed from another working folder. */
function absolute(settings: ConfigRecord): ConfigRecord {
  const { data } = settings;
  if (!isRecord(data)) return settings;
  const paths = Object.entries(data).filter(
    (entry): entry is [string, string] =>
      (entry[0] === "root" || entry[0] === "test") && typeof entry[1] === "string" && entry[1] !== "",
  );
  return {
    ...settings,
    data: { ...data, ...Object.fromEntries(paths.map(([key, path]) => [key, resolve(path)])) },
  };
}

/** Settings under today's names; which had an old one is said once. */
function current(options: ConfigOptions, asked: ConfigRecord): ConfigRecord {
  const { settings, notices } = translateRenamed(asked);
  if (!renamed.has(options)) for (const line of notices) say(line);
  renamed.add(options);
  return settings;
}

/** The configuration that was asked for, complete. @throws ConfigError */
export function configOf(options: ConfigOptions): Config {
  if (options.config === undefined && options.data === undefined && options.set.length === 0) {
    throw new ConfigError(["No data set given: pass --data FOLDER or --config FILE."]);
  }
  return parseConfig(askedBy(options));
}
