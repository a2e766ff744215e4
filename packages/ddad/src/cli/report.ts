/** `ddad report`: the results that evaluations left in folders, as one table or one page. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { groups } from "d3-array";
import { DataError } from "../errors.ts";
import { writeWhole } from "../files.ts";
import { imageFormat } from "../images/format.ts";
import { type Difference, protocolDifferences } from "../report/differences.ts";
import { htmlReport, type ReportedRun } from "../report/html/page.ts";
import { groupResults, nameResults } from "../report/resultGroups.ts";
import { type EvaluationResult, formatResults } from "../report/results.ts";
import { readResult, readScores, type StoredScores } from "../report/storedEvaluation.ts";
import { summaryCsv, summaryMarkdown } from "../report/summary.ts";
import { fairShares, wrongDecisions } from "../report/wrongDecisions.ts";
import { printResult, say } from "./terminal.ts";

export type ReportOptions = {
  readonly json?: boolean;
  readonly markdown?: boolean;
  readonly csv?: boolean;
  readonly html?: string;
  /** Most pictures of wrong decisions in the page. */
  readonly pictures: number;
};

type Run = Pick<ReportedRun, "name" | "folder" | "result"> & { readonly file: string };

export async function runReport(folders: readonly string[], options: ReportOptions): Promise<void> {
  const runs = findRuns(folders);
  const differences = protocolDifferences(runs);
  if (options.html !== undefined) {
    writeWhole(options.html, htmlReport(withWrongDecisions(runs, options.pictures)));
    say(`${runs.length} results are in ${options.html}`);
  }
  if (options.csv) process.stdout.write(summaryCsv(runs.map(asRow)));
  else if (options.markdown) process.stdout.write(describeMarkdown(runs, differences));
  else {
    const json = { results: runs.map(({ file, result }) => ({ file, ...result })), differences };
    printResult(options.json, json, describeRuns(runs, differences));
  }
}

/** Every result below the folders. @throws DataError when there is none, or no such folder. */
function findRuns(folders: readonly string[]): Run[] {
  const files = new Map(
    folders.flatMap((folder) => findFiles(folder)).map((file) => [resolve(file), file] as const),
  );
  const found = [...files.values()].flatMap((file) => {
    const reading = readResult(readFileSync(file, "utf8"));
    if ("value" in reading) return [{ file, folder: dirname(file), result: reading.value }];
    say(`left out: ${file} is no result of this version of ddad evaluate (${reading.problem})`);
    return [];
  });
  if (found.length > 0) return nameResults(found);
  throw new DataError(
    `There is no result below ${folders.join(", ")}; ddad evaluate --out and ddad run leave a results.json.`,
  );
}

function findFiles(folder: string): string[] {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new DataError(`${folder} is no folder; ddad report takes folders that hold results.`);
  }
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name === "results.json")
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Adds which pictures of wrong decisions are shown, where scores say which decisions are wrong. */
function withWrongDecisions(runs: readonly Run[], pictures: number): ReportedRun[] {
  const decided = runs.map((run) => {
    const scores = scoresBeside(run);
    return { run, scores, decisions: scores && wrongDecisions(scores.scores, run.result.threshold) };
  });
  const lengths = decided.flatMap(({ decisions }) => [
    decisions?.["false alarm"].length ?? 0,
    decisions?.missed.length ?? 0,
  ]);
  const shares = fairShares(lengths, pictures);
  return decided.map(({ run, scores, decisions }, i) => ({
    ...run,
    ...(scores && { scores }),
    ...(decisions && {
      wrong: { decisions, shown: { "false alarm": shares[2 * i]!, missed: shares[2 * i + 1]! } },
    }),
    imageOf: (id) => imageOf(run.folder, id),
  }));
}

function scoresBeside({ folder, result }: Run): StoredScores | undefined {
  const file = join(folder, "scores.json");
  if (!existsSync(file)) {
    say(`no curves and no pictures of ${folder}: there is no scores.json beside its results`);
    return undefined;
  }
  const reading = readScores(readFileSync(file, "utf8"), result);
  if ("value" in reading) return reading.value;
  throw new DataError(`${file} does not belong to the results beside it: ${reading.problem}.`);
}

/** The picture of an inspection, as `ddad evaluate --out` names it; only what is a picture and lies in the folder. */
function imageOf(folder: string, id: string): string | undefined {
  const path = resolve(folder, /\.png$/i.test(id) ? id : `${id}.png`);
  const inside = relative(folder, path);
  if (isAbsolute(inside) || inside.split(sep)[0] === "..") return undefined;
  // No file system has such names, and what asks for one throws.
  if (id.includes("\0") || !existsSync(path) || !statSync(path).isFile()) return undefined;
  const bytes = readFileSync(path);
  return imageFormat(bytes) === "PNG" ? `data:image/png;base64,${bytes.toString("base64")}` : undefined;
}

function describeRuns(runs: readonly Run[], differences: readonly Difference[]): string {
  const tables = byGroup(runs, (title) => `${title}:\n\n`, formatResults);
  return [...tables, ...describeDifferences(differences)].join("\n\n");
}

function describeMarkdown(runs: readonly Run[], differences: readonly Difference[]): string {
  const tables = byGroup(
    runs,
    (title) => `## ${title}\n\n`,
    (rows) => summaryMarkdown(rows, "at the end"),
  );
  const list = describeDifferences(differences).map((text) => `\`\`\`text\n${text}\n\`\`\`\n`);
  return [...tables, ...list].join("\n");
}

/** A table for each method and protocol, under a title where there are several. */
function byGroup(
  runs: readonly Run[],
  heading: (title: string) => string,
  describe: (results: readonly EvaluationResult[]) => string,
): string[] {
  const grouped = groupResults(runs);
  return grouped.map(
    ({ title, members }) => (grouped.length > 1 ? heading(title) : "") + describe(members.map(asRow)),
  );
}

/** A result whose row of a table is told apart by its name. */
const asRow = ({ name, result }: Run): EvaluationResult => ({ ...result, category: name });

/** One text, or none where nothing differs. */
function describeDifferences(differences: readonly Difference[]): string[] {
  if (differences.length === 0) return [];
  const lines = groups(differences, ({ effect }) => effect).flatMap(([effect, alike]) => [
    `  ${effect}`,
    ...alike.flatMap(({ setting, values }) => [
      `    ${setting}`,
      ...values.map(({ value, names }) => `      ${value}: ${names.join(", ")}`),
    ]),
  ]);
  return [["What differs between the runs:", ...lines].join("\n")];
}
