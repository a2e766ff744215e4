/** `ddad report`: results in folders as one table or one page. */
import {
  type DecidedResult,
  type Difference,
  formatDecisions,
  formatGlossary,
  formatResults,
  groupResults,
  htmlReport,
  protocolDifferences,
  summaryCsv,
  summaryMarkdown,
} from "@ddad/ddad/internal";
import { type FoundRun, findResults, withImages, writeWhole } from "@ddad/node/internal";
import { groups } from "d3-array";
import { eventPrinter } from "./events.ts";
import { printResult, say } from "./terminal.ts";

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
  const stage = { onEvent: eventPrinter() };
  const runs = findResults(folders, stage);
  const differences = protocolDifferences(runs);
  if (options.html !== undefined) {
    writeWhole(options.html, htmlReport(withImages(runs, options, stage)));
    say(`${runs.length === 1 ? "1 result is" : `${runs.length} results are`} in ${options.html}`);
  }
  if (options.csv) process.stdout.write(summaryCsv(runs.map(asRow)));
  else if (options.markdown) process.stdout.write(describeMarkdown(runs, differences));
  else {
    const json = { results: runs.map(describeJson), differences };
    printResult(options.json, json, describeRuns(runs, differences));
  }
}

function describeRuns(runs: readonly FoundRun[], differences: readonly Difference[]): string {
  const tables = byGroup(
    runs,
    (title) => `${title}:\n\n`,
    (rows) => `${formatResults(rows)}\n\n${formatDecisions(rows)}`,
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

function describeMarkdown(runs: readonly FoundRun[], differences: readonly Difference[]): string {
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
  runs: readonly FoundRun[],
  heading: (title: string) => string,
  describe: (results: readonly DecidedResult[]) => string,
): string[] {
  const grouped = groupResults(runs);
  return grouped.map(
    ({ title, members }) => (grouped.length > 1 ? heading(title) : "") + describe(members.map(asRow)),
  );
}

/** A result whose row of a table its name distinguishes. */
const asRow = ({ name, result, falseAlarms, calibration }: FoundRun): DecidedResult => ({
  ...result,
  category: name,
  falseAlarms,
  calibration,
});

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
