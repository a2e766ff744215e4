/** Settings that had another name in an earlier version. Files of that version still load. */
import { type ConfigRecord, isRecord, mergeConfig, nested } from "./settings.ts";

/** Name of version 0.1 → today's. */
export const renamedSettings: Readonly<Record<string, string>> = {
  "sampling.calls": "sampling.steps",
};

/** Settings under today's names, and a sentence for each that had an old one. */
export function translateRenamed(settings: ConfigRecord): {
  readonly settings: ConfigRecord;
  readonly notices: readonly string[];
} {
  const notices: string[] = [];
  let current = settings;
  for (const [old, name] of Object.entries(renamedSettings)) {
    const [section, key] = old.split(".") as [string, string];
    const values = current[section];
    if (!isRecord(values) || !(key in values)) continue;
    const { [key]: value, ...others } = values;
    current = mergeConfig(
      { ...current, [section]: others },
      value === undefined ? {} : nested(name.split("."), value),
    );
    notices.push(`The setting ${old} is called ${name} now.`);
  }
  return { settings: current, notices };
}
