/**
 * Reads config.yaml of the authors' own code (github.com/arimousa/DDAD, both published versions) as a configuration of this program:
 * unchanged, under the protocol paper, every key accounted for.
 */
import { type KeyOutcome, type KeySource, type KeyStatus, publishedKeys } from "./ddadYamlKeys.ts";
import { nearestName } from "./problems.ts";
import { type ConfigRecord, isRecord, mergeConfig, nested } from "./settings.ts";

/** What became of one key. */
export type TranslatedKey = {
  /** As it stands there, such as `model.w`. */
  readonly key: string;
  readonly value: unknown;
  readonly status: KeyStatus;
  /** Settings of this program that it became, by their paths. */
  readonly settings: { readonly [path: string]: unknown };
  readonly remark?: string | undefined;
};

/** A config.yaml of the published code in this program's terms. */
export type Translation = {
  /** The first version is of 2023, before DDAD-S and the distillation loss. */
  readonly version: 1 | 2;
  /** Settings of this program, not yet checked. */
  readonly settings: ConfigRecord;
  readonly keys: readonly TranslatedKey[];
  /** Values that cannot be read, one sentence each. */
  readonly problems: readonly string[];
};

/** Options of `translateDdadYaml`. */
export type TranslationOptions = {
  /** How many training images a data set has; undefined where that cannot be found out. */
  readonly countImages?: (root: string, category: string | undefined) => number | undefined;
};

/** Keys that no configuration of this program has; two of them tell what a file is. */
const telling = [
  ...["data.data_dir", "data.batch_size", "model.checkpoint_dir", "model.trajectory_steps"],
  ...["model.test_trajectoy_steps", "model.beta_start", "model.DDADS", "model.load_chp"],
];

/** Whether settings have the form of the published code. */
export function isDdadYaml(content: ConfigRecord): boolean {
  const keys = new Set(leaves(content).map(([key]) => key));
  return isRecord(content["model"]) && telling.filter((key) => keys.has(key)).length >= 2;
}

/** Translates settings for which `isDdadYaml` holds. */
export function translateDdadYaml(content: ConfigRecord, options: TranslationOptions = {}): Translation {
  const values = new Map(leaves(content));
  const version = ["model.DDADS", "model.DLlambda", "model.DA_chp"].some((key) => values.has(key)) ? 2 : 1;
  const source: KeySource = { values, version, countImages: options.countImages ?? (() => undefined) };
  const outcomes = [...values].map(([key, value]) => {
    const outcome = publishedKeys[key]?.(value, source) ?? unknownKey(key);
    return { key, value, settings: {}, ...outcome };
  });
  // What the first version did that no key of it says: its adaptation knew neither distillation nor weight decay.
  const unsaid = version === 1 ? { adaptation: { distillation: 0, weightDecay: 0 } } : {};
  const settings = outcomes
    .flatMap((outcome) => Object.entries(outcome.settings))
    .reduce<ConfigRecord>((config, [path, value]) => mergeConfig(config, nested(path.split("."), value)), {
      protocol: "paper",
      ...unsaid,
    });
  return {
    version,
    settings,
    keys: outcomes.map(({ key, value, status, settings, remark }) => ({
      key,
      value,
      status,
      settings,
      remark,
    })),
    problems: outcomes.flatMap(({ key, value, must }) =>
      must === undefined ? [] : `${key} must be ${must}, but is ${JSON.stringify(value)}.`,
    ),
  };
}

function unknownKey(key: string): KeyOutcome {
  const names = new Map(Object.keys(publishedKeys).map((known) => [lastPart(known), known]));
  const guess = nearestName(lastPart(key), [...names.keys()]);
  return { status: "unknown", remark: guess && `did you mean ${names.get(guess)}?` };
}

const lastPart = (key: string): string => key.slice(key.lastIndexOf(".") + 1);

/** Every value below a record with its dotted path, in order; lists are values. */
function leaves(record: ConfigRecord, prefix = ""): [string, unknown][] {
  return Object.entries(record).flatMap(([key, value]) =>
    isRecord(value) ? leaves(value, `${prefix}${key}.`) : [[`${prefix}${key}`, value]],
  );
}

const verdicts: { readonly [Status in Exclude<KeyStatus, "mapped">]: string } = {
  unneeded: "not needed here",
  dead: "not read by the published code either",
  unsupported: "not supported",
  unknown: "no key of the published code, ignored",
};

/** A translation in lines for people. @param name what to call the file. */
export function describeTranslation(name: string, { version, keys }: Translation): string[] {
  const which = version === 1 ? "first" : "second";
  return [
    `${name} is a configuration of the published DDAD code (${which} version), read under the protocol paper:`,
    ...keys.map((key) => `  ${key.key} ${show(key.value)}${describeKey(key)}`),
    ...(version === 1
      ? ["  the first version took D_p of images normalised for ImageNet; here it is that of the second"]
      : []),
  ];
}

function describeKey({ value, status, settings, remark }: TranslatedKey): string {
  const more = remark ? ` (${remark})` : "";
  if (status !== "mapped") return `: ${verdicts[status]}${more}`;
  const targets = Object.entries(settings).map(([path, now]) =>
    now === value ? path : `${path} ${show(now)}`,
  );
  return ` → ${targets.join(", ")}${more}`;
}

const show = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
