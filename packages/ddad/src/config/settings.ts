/** Putting configurations together: sections merged key by key, and `section.key=value` from a command line. */
import * as z from "zod";
import { ConfigError } from "../errors.ts";

/** Settings by name, nested, not yet checked. */
export type ConfigRecord = { [key: string]: unknown };

export const isRecord = (value: unknown): value is ConfigRecord =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `base` with `overrides` on top: sections are merged, all else is replaced, lists included. Changes neither. */
export function mergeConfig(base: object, overrides: object): ConfigRecord {
  const merged = new Map<string, unknown>(Object.entries(base));
  for (const [key, value] of Object.entries(overrides)) {
    const below = merged.get(key);
    merged.set(key, isRecord(below) && isRecord(value) ? mergeConfig(below, value) : value);
  }
  return Object.fromEntries(merged);
}

/**
 * The configuration that settings like `training.steps=500` or `model.channelMultipliers=[1,2,4]` spell.
 *
 * A value is read as JSON and otherwise as text; where the schema wants text it stays text, so that
 * `data.category=01` and `data.category=10` both name folders.
 *
 * @throws ConfigError naming every setting that has no key or no value.
 */
export function parseSettings(settings: readonly string[], schema: z.ZodType): ConfigRecord {
  const wrong = settings.filter((setting) => !isSetting(setting));
  if (wrong.length > 0) {
    throw new ConfigError(
      wrong.map((setting) => `"${shortened(setting)}" is no setting; write it as section.key=value.`),
    );
  }
  return settings.reduce<ConfigRecord>((config, setting) => {
    const equals = setting.indexOf("=");
    const path = setting.slice(0, equals).split(".");
    const text = setting.slice(equals + 1);
    const value = wantsText(schema, path) ? text : parseValue(text);
    return mergeConfig(config, nested(path, value));
  }, {});
}

/** Levels of a value: settings are lists of numbers at most. */
const deepest = 8;

/** Whether a text is a key of at most so many levels and a value that is not nested deeper. */
function isSetting(text: string): boolean {
  const [key] = /^[^.=]+(\.[^.=]+)*(?==)/.exec(text) ?? [];
  if (key === undefined || key.split(".").length > deepest) return false;
  const value = text.slice(key.length + 1);
  if (!/^\s*[[{]/.test(value)) return true;
  let depth = 0;
  for (const sign of value) {
    if (sign === "[" || sign === "{") depth++;
    if (sign === "]" || sign === "}") depth--;
    if (depth > deepest) return false;
  }
  return true;
}

const shortened = (text: string): string => (text.length > 100 ? `${text.slice(0, 100)}…` : text);

/** The configuration in which a path leads to a value, and nothing else is. */
export const nested = (path: readonly string[], value: unknown): ConfigRecord =>
  path.reduceRight<unknown>((inner, key) => Object.fromEntries([[key, inner]]), value) as ConfigRecord;

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function wantsText(schema: z.ZodType, path: readonly string[]): boolean {
  const field = fieldAt(schema, path);
  return field instanceof z.ZodString || field instanceof z.ZodEnum;
}

/** The schema of a setting, without its "optional"; undefined where there is none. */
export function fieldAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType | undefined {
  let field: z.ZodType | undefined = schema;
  for (const key of path)
    field = field instanceof z.ZodObject ? (field.shape[String(key)] as z.ZodType) : undefined;
  return field instanceof z.ZodOptional ? (field.unwrap() as z.ZodType) : field;
}

/** A setting: its dotted path, what it means, and what it binds (undefined: nothing was said). */
export type ConfigKey = {
  readonly path: string;
  readonly description: string;
  readonly binds: readonly string[] | undefined;
};

/** Every setting of a schema by its dotted path, in order. */
export function configKeys(schema: z.ZodType, prefix = ""): ConfigKey[] {
  if (!(schema instanceof z.ZodObject)) {
    const { description = "", binds } = (schema.meta() ?? {}) as Partial<ConfigKey>;
    return [{ path: prefix, description, binds }];
  }
  return Object.entries(schema.shape).flatMap(([key, field]) =>
    configKeys(field as z.ZodType, prefix === "" ? key : `${prefix}.${key}`),
  );
}
