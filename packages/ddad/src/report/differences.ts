/** What differs between the protocols of results, and what therefore cannot be compared. */
import { groups } from "d3-array";
import type { EvaluationResult } from "./results.ts";

/** A result with the name that tables and plots call it by; no two of a report have the same. */
export type NamedResult = { readonly name: string; readonly result: EvaluationResult };

/** A setting that is not the same in all results. */
export type Difference = {
  /** Dotted path in the protocol block, such as `sampling.guidance`. */
  readonly setting: string;
  /** What it means for a comparison. */
  readonly effect: string;
  /** The values there are, and the names of the results that have each. */
  readonly values: readonly { readonly value: string; readonly names: readonly string[] }[];
};

const effects = {
  images: "different test images, or the same ones at another size: no metric can be compared",
  resized: "the same test images at another size: image metrics can be compared, pixel metrics roughly",
  pixels: "pixels are chosen or scored differently: pixel metrics cannot be compared",
  intervals: "intervals cannot be compared",
  decisions: "thresholds are chosen differently: found and false alarms cannot be compared",
  training: "different images for training or calibration",
  setting: "a setting: what is compared",
  times: "times cannot be compared",
} as const;

type Effect = keyof typeof effects;

/** Parts of the protocol block by what they decide; the first that fits counts, all else is a setting. */
const decides: readonly (readonly [path: string, effect: Effect])[] = [
  ["data.images", "images"],
  ["data.good", "images"],
  ["data.sha256", "images"],
  ["data", "training"],
  ["seeds.split", "training"],
  ["seeds.bootstrap", "intervals"],
  ["metrics.bootstrap", "intervals"],
  ["metrics", "pixels"],
  ["masks", "pixels"],
  ["resolution.scored", "pixels"],
  ["threshold", "decisions"],
  ["detection.falseAlarmRate", "decisions"],
  ["device", "times"],
];

/** What is another for every category by nature, and is compared only among results of one. */
const ofCategory = [
  "data.images",
  "data.good",
  "data.sha256",
  "data.split",
  "threshold.images",
  "threshold.extrapolated",
];

/** What every row of a table says itself, what is said twice, and the wall time, which is never the same. */
const leftOut = [
  ...["data.dataset", "data.category", "data.files"],
  ...["threshold.falseAlarmRate", "threshold.calibration", "seconds"],
];

/**
 * The settings in which the protocols of results differ, those that forbid a comparison first. What depends on the category,
 * such as the hash of its images, is compared among the results of one category only; what a method does not have, among
 * the results of the others.
 */
export function protocolDifferences(results: readonly NamedResult[]): Difference[] {
  const flat = results.map(({ name, result }) => ({
    name,
    method: result.protocolBlock.method,
    category: JSON.stringify([result.dataset, result.category]),
    settings: flatten(result.protocolBlock),
  }));
  const settings = [...new Set(flat.flatMap(({ settings }) => [...settings.keys()]))];
  const differing = settings
    .filter((setting) => !leftOut.includes(setting))
    .flatMap((setting) => {
      const methods = flat.filter(({ settings }) => settings.has(setting)).map(({ method }) => method);
      const having = flat.filter(({ method }) => methods.includes(method));
      const compared = ofCategory.includes(setting)
        ? groups(having, ({ category }) => category).map(([, members]) => members)
        : [having];
      return compared
        .map((members): { setting: string; effect: Effect; values: Difference["values"] } => ({
          setting,
          effect: setting === "data.sha256" && haveSameFiles(members) ? "resized" : effectOf(setting),
          values: groups(members, ({ settings }) => settings.get(setting) ?? "–").map(([value, found]) => ({
            value,
            names: found.map(({ name }) => name),
          })),
        }))
        .filter(({ values }) => values.length > 1);
    });
  const order = Object.keys(effects);
  return differing
    .sort((a, b) => order.indexOf(a.effect) - order.indexOf(b.effect))
    .map((difference) => ({ ...difference, effect: effects[difference.effect] }));
}

/** Whether results are of the same files, so that pixels differ by their size alone. */
function haveSameFiles(members: readonly { readonly settings: ReadonlyMap<string, string> }[]): boolean {
  const files = new Set(members.map(({ settings }) => settings.get("data.files")));
  return files.size === 1 && !files.has(undefined);
}

const effectOf = (setting: string): Effect =>
  decides.find(([path]) => setting === path || setting.startsWith(`${path}.`))?.[1] ?? "setting";

/** Dotted paths of nested objects, and their values as text. */
export function flatten(value: object, prefix = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, inner] of Object.entries(value)) {
    const path = `${prefix}${key}`;
    if (typeof inner === "object" && inner !== null && !Array.isArray(inner)) {
      for (const [name, text] of flatten(inner as object, `${path}.`)) found.set(name, text);
    } else if (inner !== undefined) {
      found.set(path, typeof inner === "string" ? inner : JSON.stringify(inner));
    }
  }
  return found;
}
