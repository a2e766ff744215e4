/** `ddad report`: results in folders as one table or one page. */
import {
  type DecidedResult,
  type Difference,
  fencedText,
  formatControls,
  formatDecisions,
  formatGlossary,
  formatResults,
  summaryCsv,
  summaryMarkdown,
} from "@ddad/ddad/internal";
import { type FoundRun, type ResultsReport, reportResults } from "@ddad/node/internal";
import { groups as groupBy } from "d3-array";
import { eventPrinter } from "./events.ts";
import { untilInterrupted } from "./interrupt.ts";
import { outputWidth, printResult, repeatedCommand, say } from "./terminal.ts";

export type ReportOptions = {
  readonly json?: boolean;
  readonly markdown?: boolean;
  readonly csv?: boolean;
  readonly html?: string;
  /** Most images of wrong decisions in the page. */
  readonly images: number;
  /** Most small images in the list of all images. */
  readonly thumbnails: number;
};

export async function runReport(folders: readonly string[], options: ReportOptions): Promise<void> {
  const { html, images, thumbnails, json, csv, markdown } = options;
  const report = await untilInterrupted(
    (signal) => reportResults(folders, { html, images, thumbnails, signal, onEvent: eventPrinter() }),
    {
      saving: "discarding the report",
      stopped: () => `Stopped. No report was written. Run this command to write it: ${repeatedCommand()}`,
    },
  );
  if (report === undefined) return;
  const { runs, rows, differences } = report;
  if (html !== undefined)
    say(`${runs.length === 1 ? "1 result is" : `${runs.length} results are`} in ${html}`);
  if (csv) process.stdout.write(summaryCsv(rows));
  else if (markdown) process.stdout.write(describeMarkdown(report));
  else printResult(json, { results: runs.map(describeJson), differences }, describeRuns(report));
}

function describeRuns({ groups, runs, differences }: ResultsReport): string {
  const tables = byGroup(
    groups,
    (title) => `${title}:\n\n`,
    (rows) =>
      [
        formatResults(rows, "text", outputWidth()),
        formatDecisions(rows, "text", outputWidth()),
        ...formatControls(rows),
      ].join("\n\n"),
  );
  const meaning = formatGlossary(runs.map(({ result }) => result));
  return [...tables, ...describeDifferences(differences), meaning].join("\n\n");
}

/** A result with its file and, where there is a model beside it, whether that still decides so. */
const describeJson = ({ file, result, calibration }: FoundRun): object => ({
  file,
  ...result,
  ...(calibration !== undefined && { calibration }),
});

function describeMarkdown({ groups, differences }: ResultsReport): string {
  const tables = byGroup(
    groups,
    (title) => `## ${title}\n\n`,
    (rows) => summaryMarkdown(rows, "at the end"),
  );
  const list = describeDifferences(differences).map((text) => `${fencedText(text, "text")}\n`);
  return [...tables, ...list].join("\n");
}

/** A table for each method and protocol, under a title where there are several. */
const byGroup = (
  groups: ResultsReport["groups"],
  heading: (title: string) => string,
  describe: (rows: readonly DecidedResult[]) => string,
): string[] => groups.map(({ title, rows }) => (groups.length > 1 ? heading(title) : "") + describe(rows));

/** One text, or none where nothing differs. */
function describeDifferences(differences: readonly Difference[]): string[] {
  if (differences.length === 0) return [];
  const lines = groupBy(differences, ({ effect }) => effect).flatMap(([effect, alike]) => [
    `  ${effect}`,
    ...alike.flatMap(({ setting, values }) => [
      `    ${setting}`,
      ...values.map(({ value, names }) => `      ${value}: ${names.join(", ")}`),
    ]),
  ]);
  return [["What differs between the runs:", ...lines].join("\n")];
}
