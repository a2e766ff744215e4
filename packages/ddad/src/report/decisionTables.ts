/** Tables of what thresholds decide, in text and Markdown. */
import { groups } from "d3-array";
import type { Interval } from "../metrics/bootstrap.ts";
import type { Presorting } from "../metrics/presorting.ts";
import { describeControls } from "./controls.ts";
import { type CalibrationState, type CountedRate, decisionsOf, describeState } from "./decisions.ts";
import { glossary, intervalNote } from "./glossary.ts";
import {
  type EvaluationResult,
  formatTable,
  formatWideTable,
  styledText,
  type TableStyle,
} from "./results.ts";

/** A result as the tables show it: what its files say beside it. */
export type DecidedResult = EvaluationResult & {
  /** Fraction of the good images that are false alarms, where only `scores.json` says it. */
  readonly falseAlarms?: number | undefined;
  /** Whether its threshold is that of the model beside it, where there is one. */
  readonly calibration?: CalibrationState | undefined;
};

/**
 * Threshold, found defects and false alarms of each result; sentences on what is out of date follow.
 *
 * @param width as for `formatResults`
 */
export function formatDecisions(
  results: readonly DecidedResult[],
  style: TableStyle = "text",
  width = Infinity,
): string {
  const rows = results.map((result) => {
    const { found, falseAlarms } = decisionsOf(result, result.falseAlarms);
    return [
      result.category,
      result.threshold.toPrecision(4) + (isOutdated(result) ? " (*)" : ""),
      ...cellsOf(found),
      ...cellsOf(falseAlarms),
      describePromised(result),
    ];
  });
  const header = [
    ...["category", "threshold", "found", "interval"],
    ...["false alarms", "interval", "promised"],
  ];
  const outdated = groups(results.filter(isOutdated), ({ calibration }) => calibration);
  const notes = outdated.map(([state, members]) => {
    const names = members.map(({ category }) => category).join(", ");
    return `(*) ${styledText(names, style)}: ${describeState(state as "another calibration")}`;
  });
  const table =
    style === "markdown" ? formatTable(header, rows, style) : formatWideTable(header, rows, [3, 3], width);
  return [table, ...(notes.length > 0 ? ["", ...notes] : [])].join("\n");
}

/** A line for each finding of `describeControls`, under the category where there are several results. */
export const formatControls = (results: readonly DecidedResult[], style: TableStyle = "text"): string[] =>
  results.flatMap((result) => {
    const name = results.length > 1 ? `${styledText(result.category, style)}: ` : "";
    return describeControls(result).map((sentence) => name + sentence);
  });

const isOutdated = ({ calibration }: DecidedResult): boolean =>
  calibration !== undefined && calibration !== "current";

/** The false-alarm rate that a threshold was made for, in percent; a dash where the test set chose it. */
export function describePromised({ protocolBlock: { threshold } }: EvaluationResult): string {
  if (!("falseAlarmRate" in threshold)) return "–";
  const { falseAlarmRate, extrapolated } = threshold;
  return `${percent(falseAlarmRate)}${extrapolated ? " (extrapolated)" : ""}`;
}

const cellsOf = (counted: CountedRate | undefined): string[] =>
  counted === undefined ? ["–", "–"] : [describeCount(counted), describeInterval(counted.interval)];

const percent = (fraction: number): string => (100 * fraction).toFixed(1);

/** A counted rate as `25.0 (3 of 12)`, in percent. */
export const describeCount = ({ rate, count, of }: Pick<CountedRate, "rate" | "count" | "of">): string =>
  `${percent(rate)} (${count} of ${of})`;

/** An interval in percent. */
export const describeInterval = ([low, high]: Interval): string => `${percent(low)} … ${percent(high)}`;

/** A threshold that a table shows; a dash where none is known. */
export const describeThreshold = (threshold: number | undefined): string =>
  threshold === undefined ? "–" : threshold.toPrecision(4);

/** What thresholds chosen on the test set give: two tables. @param classes how many good and defective images there are */
export function formatPresorting(
  { goodStopped, defectsMissed }: Presorting,
  classes: { readonly good: number; readonly defective: number },
  style: TableStyle = "text",
): string {
  const first = goodStopped.map((row) => [
    `${row.defectsCaught} %`,
    describeThreshold(row.threshold),
    describeCount({ ...row, of: classes.good }),
  ]);
  const second = defectsMissed.map((row) => [
    `${row.goodStopped} %`,
    describeThreshold(row.threshold),
    describeCount({ ...row, of: classes.defective }),
  ]);
  return [
    formatTable(["defects caught, at least", "threshold", "good parts stopped"], first, style),
    "",
    formatTable(["good parts stopped, at most", "threshold", "defects missed"], second, style),
  ].join("\n");
}

/** What the numbers mean, a line each, and how the intervals are made. */
export function formatGlossary(results: readonly EvaluationResult[], style: TableStyle = "text"): string {
  const lines = glossary.map(([term, meaning]) =>
    style === "markdown" ? `* ${term}: ${meaning}.` : `${term}: ${meaning}.`,
  );
  const notes = [...new Set(results.map(({ intervals }) => intervals.level))].map(intervalNote);
  return [...lines, ...(style === "markdown" ? [""] : []), ...notes].join("\n");
}
