/** Which settings a run, a model, a calibration or an adaptation keeps: read from the table of settings. */
import * as z from "zod";
import { type Bound, type Config, configSchema } from "./schema.ts";
import { configKeys } from "./settings.ts";

/** Paths of the settings that something must keep, such as `data.imageSize`, in their order. */
export const boundSettings = (what: Bound): string[] =>
  configKeys(configSchema)
    .filter(({ binds }) => binds?.includes(what))
    .map(({ path }) => path);

/** A setting of a configuration by its path; undefined where it is not set. */
export const settingAt = (config: object, path: string): unknown =>
  path
    .split(".")
    .reduce<unknown>((section, key) => (section as Record<string, unknown> | undefined)?.[key], config);

/** The settings that something must keep, by their paths, without those that are not set. */
export const settingsBound = (what: Bound, config: Config): Record<string, unknown> =>
  Object.fromEntries(
    boundSettings(what)
      .map((path) => [path, settingAt(config, path)] as const)
      .filter(([, value]) => value !== undefined),
  );

/** The schema of one section with the settings alone that something must keep. */
export function boundSection<S extends keyof Config>(what: Bound, section: S): z.ZodType<Config[S]> {
  const { shape } = configSchema.shape[section] as unknown as z.ZodObject;
  const kept = boundSettings(what).flatMap((path) => {
    const [name, key] = path.split(".");
    return name === section ? [key!] : [];
  });
  return z.strictObject(Object.fromEntries(kept.map((key) => [key, shape[key]!]))) as unknown as z.ZodType<
    Config[S]
  >;
}

/** Settings that differ, as `sampling.guidance 4 (calibrated: 2)`. @param stored what it was made with */
export const describeChanges = (
  paths: readonly string[],
  config: object,
  stored: object,
  was: string,
): string[] =>
  paths
    .filter((path) => show(settingAt(config, path)) !== show(settingAt(stored, path)))
    .map((path) => `${path} ${show(settingAt(config, path))} (${was}: ${show(settingAt(stored, path))})`);

const show = (value: unknown): string =>
  value === undefined ? "not set" : typeof value === "object" ? JSON.stringify(value) : String(value);
