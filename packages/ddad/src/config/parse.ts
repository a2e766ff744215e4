/** From what was given to a complete configuration: presets and defaults supply the rest, and everything is checked. */
import { ConfigError } from "../errors.ts";
import { settingAt } from "./binding.ts";
import { defaultsFor } from "./defaults.ts";
import { withPresets } from "./presets.ts";
import { describeIssues } from "./problems.ts";
import { translateRenamed } from "./renamed.ts";
import { brokenRules } from "./rules.ts";
import { type Config, type ConfigInput, configSchema } from "./schema.ts";
import { type ConfigRecord, isRecord, mergeConfig } from "./settings.ts";

/** Fills a configuration up with its presets and the defaults of its protocol, and checks it. @throws ConfigError as `parseConfig`. */
export function resolveConfig(input: ConfigInput): Config {
  return parseConfig(input);
}

/**
 * Like `resolveConfig`, for what comes from outside: a file, a command line, a checkpoint.
 *
 * @throws ConfigError with every problem found, one sentence each.
 */
export function parseConfig(input: unknown): Config {
  if (!isRecord(input)) throw new ConfigError(["A configuration must be a set of named settings."]);
  const given = withPresets(translateRenamed(input).settings);
  const complete = mergeConfig(defaultsFor(given), given);
  const { success, data, error } = configSchema.safeParse(complete);
  const issues = error?.issues ?? [];
  const problems = [...describeIssues(issues, complete, configSchema), ...brokenRules(complete, issues)];
  if (!success || problems.length > 0) throw new ConfigError(problems);
  return data;
}

/** What version 0.1 did where it had no setting, and does otherwise by default now. */
const before = {
  data: { orientation: "stored" },
  sampling: { draws: 1, from: "self" },
  features: { imageSize: 0 },
  nearest: { by: "pixels" },
  detection: { distance: "cosine" },
};

/**
 * Like `parseConfig`, for a complete configuration that was stored with a run or a model: settings that its version did not have yet are
 * as that version did things, not as the defaults are today.
 */
export const parseStoredConfig = (input: unknown): Config =>
  parseConfig(isRecord(input) ? mergeConfig(before, input) : input);

/** Settings whose default follows from other settings. */
const following = [
  "model.baseChannels",
  "model.heads",
  "model.dropout",
  "training.batchSize",
  "training.warmup",
  "detection.blurSigma",
];

/** Paths of the settings of a complete configuration that need not be stored: they follow from the others. */
export function derivedSettings(config: Config): string[] {
  const defaults = defaultsFor(config);
  const equal = following.filter((path) => settingAt(defaults, path) === settingAt(config, path));
  // A preset that sets one of them would have its way.
  const again = equal.length === 0 ? config : parseConfig(withoutSettings(config, equal));
  return equal.filter((path) => settingAt(again, path) === settingAt(config, path));
}

/** A configuration without some settings, by their paths. */
export function withoutSettings(config: object, paths: readonly string[], prefix = ""): ConfigRecord {
  const kept = Object.entries(config).filter(([key]) => !paths.includes(prefix + key));
  return Object.fromEntries(
    kept.map(([key, value]) => [
      key,
      isRecord(value) ? withoutSettings(value, paths, `${prefix}${key}.`) : (value as unknown),
    ]),
  );
}
