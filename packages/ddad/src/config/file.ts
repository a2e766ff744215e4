/** Configuration files, YAML or JSON. */
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { parseDocument, stringify } from "yaml";
import { type Config, configSchema, parseConfig } from "../config.ts";
import { ConfigError } from "../errors.ts";
import { type ConfigRecord, isRecord, mergeConfig, parseSettings } from "./settings.ts";

/**
 * Reads a configuration from a file and settings on top of it, both optional, and completes and checks it.
 *
 * @param settings `section.key=value`, as from a command line.
 * @throws ConfigError with every problem found, one sentence each.
 */
export function loadConfig(path: string | undefined, settings: readonly string[] = []): Config {
  const file = path === undefined ? {} : readConfigFile(path);
  return parseConfig(mergeConfig(file, parseSettings(settings, configSchema)));
}

/**
 * The settings of a file as they stand there, not yet checked. Only this function knows of formats: what comes out
 * has this program's names and sections, whatever went in.
 *
 * @throws ConfigError when the file is missing or no YAML or JSON.
 */
export function readConfigFile(path: string): ConfigRecord {
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

/** A configuration as YAML, to be kept with the results it made. */
export const formatConfig = (config: Config): string => stringify(config);
