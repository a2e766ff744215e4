/** Turns what a schema finds into sentences that name the setting, the rule and what was given. */
import * as z from "zod";
import { configKeys, fieldAt, isRecord } from "./settings.ts";

/** One sentence for every issue, in the order of the schema. */
export function describeIssues(
  issues: readonly z.core.$ZodIssue[],
  input: unknown,
  schema: z.ZodType,
): string[] {
  const keys = configKeys(schema).map(({ path }) => path);
  return issues.flatMap((issue) => {
    const path = issue.path.join(".");
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(path, key, keys));
    const value = valueAt(input, issue.path);
    const rule = `must be ${describeRule(issue, schema)}`;
    return [
      value === undefined ? `${path} is missing: it ${rule}.` : `${path} ${rule}, but is ${show(value)}.`,
    ];
  });
}

function describeRule(issue: z.core.$ZodIssue, schema: z.ZodType): string {
  switch (issue.code) {
    case "invalid_type":
      return isWhole(fieldAt(schema, issue.path))
        ? "a whole number"
        : (typeNames[issue.expected] ?? issue.expected);
    case "invalid_value":
      return `one of ${issue.values.join(", ")}`;
    case "too_small":
      return describeBound(issue.origin, issue.inclusive ? "at least" : "more than", issue.minimum);
    case "too_big":
      return describeBound(issue.origin, issue.inclusive ? "at most" : "less than", issue.maximum);
    default:
      return `valid (${issue.message})`;
  }
}

const isWhole = (field: z.ZodType | undefined): boolean => field instanceof z.ZodNumber && field.isInt;

const typeNames: { [type: string]: string } = {
  number: "a number",
  string: "text",
  boolean: "true or false",
  array: "a list",
  object: "a section with settings of its own",
};

function describeBound(origin: string, comparison: string, bound: number | bigint): string {
  if (origin === "string") return "text that is not empty";
  if (origin === "array") return `a list of ${comparison} ${bound}`;
  return `${comparison} ${bound}`;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => {
    if (Array.isArray(value)) return value[Number(key)] as unknown;
    return isRecord(value) ? value[String(key)] : undefined;
  }, input);
}

function show(value: unknown): string {
  const text = typeof value === "number" ? String(value) : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function unknownKey(section: string, key: string, keys: readonly string[]): string {
  const path = section === "" ? key : `${section}.${key}`;
  const guess = nearestKey(path, keys);
  if (guess !== undefined) return `${path} is no setting; did you mean ${guess}?`;
  const siblings = keys.filter((candidate) => section === "" || candidate.startsWith(`${section}.`));
  const names = new Set(
    siblings.map((candidate) => candidate.slice(section === "" ? 0 : section.length + 1).split(".")[0]),
  );
  return `${path} is no setting; ${section === "" ? "there are" : `${section} has`} ${[...names].join(", ")}.`;
}

/** The setting or section whose name is most like the unknown one; its own section wins among equals. */
function nearestKey(path: string, keys: readonly string[]): string | undefined {
  const name = plain(path);
  const section = path.slice(0, path.lastIndexOf(".") + 1);
  const sections = new Set(keys.map((key) => key.slice(0, key.lastIndexOf("."))).filter((key) => key !== ""));
  let best: { key: string; distance: number } | undefined;
  for (const key of [...keys, ...sections]) {
    const elsewhere = key.startsWith(section) ? 0 : 0.5;
    const distance = editDistance(name, plain(key)) + elsewhere;
    if (distance <= Math.max(name.length / 3, 1.5) && distance < (best?.distance ?? Infinity))
      best = { key, distance };
  }
  return best?.key;
}

/** The name most like one that does not exist, where any is like it. */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  let best: { name: string; distance: number } | undefined;
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance <= Math.max(name.length / 3, 1.5) && distance < (best?.distance ?? Infinity))
      best = { name: candidate, distance };
  }
  return best?.name;
}

/** The last part of a path without capitals and separators: batch_size and batchSize are one. */
const plain = (path: string): string =>
  path
    .slice(path.lastIndexOf(".") + 1)
    .toLowerCase()
    .replace(/[-_]/g, "");

/** Fewest insertions, deletions and substitutions that turn one text into the other (Levenshtein). */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}
