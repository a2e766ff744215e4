/** Configuration files, YAML or JSON. */
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import {
  type Config,
  ConfigError,
  type ConfigRecord,
  configSchema,
  DataError,
  derivedSettings,
  isDdadYaml,
  isRecord,
  mergeConfig,
  parseConfig,
  parseSettings,
  settingAt,
  type Translation,
  translateDdadYaml,
  withoutSettings,
} from "@ddad/ddad/internal";
import { parseDocument, stringify } from "yaml";
import { findDataset } from "./datasets/dataset.ts";

/**
 * Reads a configuration from a file and settings on top of it, both optional, and completes and checks it.
 *
 * @param settings `section.key=value`, as from a command line.
 * @throws ConfigError with every problem found, one sentence each.
 */
export function loadConfig(path: string | undefined, settings: readonly string[] = []): Config {
  const given = parseSettings(settings, configSchema);
  const file = path === undefined ? {} : openConfigFile(path, given).settings;
  return parseConfig(mergeConfig(file, given));
}

/** The settings of a file as they stand there, not yet checked. @throws ConfigError as `openConfigFile`. */
export const readConfigFile = (path: string): ConfigRecord => openConfigFile(path).settings;

/** What a configuration file holds. */
export type ConfigFile = {
  /** Under this program's names, whatever the file has. */
  readonly settings: ConfigRecord;
  /** What became of each key, where the file is one of the published code's. */
  readonly translation?: Translation | undefined;
};

/**
 * Reads a configuration file, ours or the config.yaml of the published DDAD code, which its form shows. Only this function
 * knows of formats.
 *
 * @param given settings that will stand above the file's: where they put the data set, its images are counted.
 * @throws ConfigError when the file is missing or no YAML or JSON, or a value in it cannot be read.
 */
export function openConfigFile(path: string, given: ConfigRecord = {}): ConfigFile {
  const content = readRecord(path);
  if (!isDdadYaml(content)) return { settings: content };
  const data = isRecord(given["data"]) ? given["data"] : {};
  const translation = translateDdadYaml(content, {
    countImages: (root, category) =>
      countImages(textOf(data["root"]) ?? root, textOf(data["category"]) ?? category),
  });
  if (translation.problems.length > 0) throw new ConfigError(translation.problems);
  return { settings: translation.settings, translation };
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

function countImages(root: string, category: string | undefined): number | undefined {
  try {
    return findDataset(root, { category }).train.length;
  } catch (error) {
    // What is wrong with the data set is said when it is opened.
    if (error instanceof DataError) return undefined;
    throw error;
  }
}

function readRecord(path: string): ConfigRecord {
  const parse = readers[extname(path).toLowerCase()];
  if (parse === undefined) throw new ConfigError([`${path} must be a .yaml, .yml or .json file.`]);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError([`${path} ${code === "ENOENT" ? "does not exist" : `cannot be read (${code})`}.`]);
  }
  const content = parse(text, path);
  if (!isRecord(content))
    throw new ConfigError([`${path} must hold named settings, such as "protocol: strict".`]);
  return content;
}

const readers: { [extension: string]: (text: string, path: string) => unknown } = {
  ".yaml": parseYaml,
  ".yml": parseYaml,
  ".json": parseJson,
};

function parseYaml(text: string, path: string): unknown {
  const document = parseDocument(text, { prettyErrors: true });
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors.map(({ message, linePos }) => {
        const reason = message
          .split("\n")[0]!
          .replace(/ at line .*$/, "")
          .replace(/[.:]$/, "");
        return `${path} is no valid YAML, line ${linePos?.[0].line ?? 1}: ${reason}.`;
      }),
    );
  }
  return document.toJS() as unknown;
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new ConfigError([`${path} is no valid JSON: ${(error as Error).message}.`]);
  }
}

/**
 * A configuration as YAML, to be kept with the results it made. Settings that follow from others are left out and named in a comment: whoever
 * shortens a copy of the file would otherwise keep, for example, the warm-up of a longer training.
 */
export function formatConfig(config: Config): string {
  const derived = derivedSettings(config);
  if (derived.length === 0) return stringify(config);
  const values = derived.map((path) => `${path} ${String(settingAt(config, path))}`);
  return `${stringify(withoutSettings(config, derived))}# By default, from the settings above: ${values.join(", ")}\n`;
}
