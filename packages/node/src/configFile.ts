/** Configuration files, YAML or JSON. */
import { readFileSync, statSync } from "node:fs";
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
import { type Document, isNode, parseDocument, stringify, visit } from "yaml";
import { findDataset } from "./datasets/dataset.ts";

/**
 * Reads a configuration from a file and settings on top of it, both optional, and completes and checks it.
 *
 * @param path of a .yaml, .yml or .json file; undefined where there is none
 * @param settings `section.key=value`, as from a command line
 * @returns the complete configuration
 * @throws ConfigError with every problem found, one sentence each
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
    const { size, isFile } = facts(path);
    // A pipe or a device would never end.
    if (!isFile) throw new ConfigError([`${path} is not a file; pass a .yaml, .yml or .json file.`]);
    if (size > largest) {
      throw new ConfigError([
        `${path} has ${Math.ceil(size / 1024)} kB, but settings files have at most ${largest / 1024} kB; pass a settings file.`,
      ]);
    }
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError([`${path} ${code === "ENOENT" ? "does not exist" : `cannot be read (${code})`}.`]);
  }
  const content = plain(parse, text, path);
  if (!isRecord(content))
    throw new ConfigError([`${path} must hold named settings, such as "protocol: strict".`]);
  return content;
}

/** Bytes of a settings file: with all settings and their descriptions it has a tenth. */
const largest = 64 * 1024;

function facts(path: string): { readonly size: number; readonly isFile: boolean } {
  const stats = statSync(path);
  return { size: stats.size, isFile: stats.isFile() };
}

/** Levels of a settings file: ours have two, lists in them a third. */
const deepest = 32;

/** What a file holds, unless it is nested without end, which all that follows would choke on. */
function plain(parse: (text: string, path: string) => unknown, text: string, path: string): unknown {
  const tooDeep = `${path} is nested more than ${deepest} levels deep, but settings are section.key: value.`;
  try {
    const content = parse(text, path);
    if (depthExceeds(content, deepest)) throw new ConfigError([tooDeep]);
    return content;
  } catch (error) {
    // The parsers call themselves for each level.
    if (error instanceof RangeError) throw new ConfigError([tooDeep]);
    throw error;
  }
}

/** Whether a value is nested deeper than so many levels. */
function depthExceeds(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => depthExceeds(inner, levels - 1));
}

const readers: { [extension: string]: (text: string, path: string) => unknown } = {
  ".yaml": parseYaml,
  ".yml": parseYaml,
  ".json": parseJson,
};

function parseYaml(text: string, path: string): unknown {
  const document = parseDocument(text, { prettyErrors: true });
  // What the parser reports of its own recursion.
  if (document.errors.some(({ message }) => message.includes("call stack"))) throw new RangeError("nested");
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors.map(({ message, linePos }) => {
        const reason = message
          .split("\n")[0]!
          .replace(/ at line .*$/, "")
          .replace(/[.:]$/, "");
        return `${path} is not valid YAML, line ${linePos?.[0].line ?? 1}: ${reason}.`;
      }),
    );
  }
  if (refersToItself(document)) {
    throw new ConfigError([
      `${path} holds an alias (*name) to something that contains it; write the value out.`,
    ]);
  }
  try {
    return document.toJS({ maxAliasCount: mostAliases }) as unknown;
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    if (!error.message.startsWith("Excessive")) {
      throw new ConfigError([`${path} uses an alias (*name) without its anchor (&name) before it.`]);
    }
    throw new ConfigError([
      `${path} uses aliases (*name) to repeat values more than ${mostAliases} times; write the values out.`,
    ]);
  }
}

/** Copies that the aliases of a file may stand for. */
const mostAliases = 100;

/** Whether an anchor stands above one of its own aliases. */
function refersToItself(document: Document): boolean {
  let found = false;
  visit(document, {
    Alias(_, { source }, path) {
      found ||= path.some((node) => isNode(node) && "anchor" in node && node.anchor === source);
    },
  });
  return found;
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new ConfigError([`${path} is not valid JSON: ${(error as Error).message}.`]);
  }
}

/**
 * A configuration as YAML, to be kept with the results it made. Settings that follow from others are left out and named in a comment: whoever
 * shortens a copy of the file would otherwise keep, for example, the warm-up of a longer training.
 *
 * @param config a complete configuration, as `loadConfig` returns it
 * @returns the text of a `config.yaml`
 */
export function formatConfig(config: Config): string {
  const derived = derivedSettings(config);
  if (derived.length === 0) return stringify(config);
  const values = derived.map((path) => `${path} ${String(settingAt(config, path))}`);
  return `${stringify(withoutSettings(config, derived))}# By default, from the settings above: ${values.join(", ")}\n`;
}
