/** Results of several categories as one table, for people, spreadsheets and programs. */
import { caughtPercentages, stoppedPercentages } from "../metrics/presorting.ts";
import { bestControl } from "./controls.ts";
import { decisionsOf, shownAurocInterval } from "./decisions.ts";
import { type DecidedResult, formatControls, formatDecisions, formatGlossary } from "./decisionTables.ts";
import { fencedText, formatResults } from "./results.ts";

/** Table and protocol in Markdown. @param differences where to read what the protocols of the rows do not share. */
export function summaryMarkdown(results: readonly DecidedResult[], differences = "in summary.json"): string {
  const shared = commonPart(results.map(({ protocolBlock }) => protocolBlock));
  return [
    formatResults(results, "markdown"),
    "",
    formatDecisions(results, "markdown"),
    "",
    ...formatControls(results, "markdown").flatMap((line) => [line, ""]),
    formatGlossary(results, "markdown"),
    "",
    `Percent. How all of this was made (what differs between the rows is ${differences}):`,
    "",
    fencedText(JSON.stringify(shared, undefined, 2), "json"),
    "",
  ].join("\n");
}

const columns: readonly (readonly [string, (result: DecidedResult) => string | number | undefined])[] = [
  ["dataset", ({ dataset }) => dataset],
  ["category", ({ category }) => category],
  ["method", ({ protocolBlock }) => protocolBlock.method],
  ["protocol", ({ protocol }) => protocol],
  ["images", ({ images }) => images],
  ["image_auroc", ({ image }) => image.auroc],
  ["image_auroc_low", (result) => shownAurocInterval(result)[0]],
  ["image_auroc_high", (result) => shownAurocInterval(result)[1]],
  ["image_ap", ({ image }) => image.ap],
  ["image_f1_max", ({ image }) => image.f1Max],
  ["pixel_auroc", ({ pixel }) => pixel?.auroc],
  ["pixel_ap", ({ pixel }) => pixel?.ap],
  ["aupro_30", ({ pixel }) => pixel?.aupro30],
  ["aupro_05", ({ pixel }) => pixel?.aupro05],
  ["threshold", ({ threshold }) => threshold],
  ["ms_per_image", ({ msPerImage }) => msPerImage.p50],
  ["found", (result) => found(result).rate],
  ["found_low", (result) => found(result).interval[0]],
  ["found_high", (result) => found(result).interval[1]],
  ["false_alarms", (result) => falseAlarms(result)?.rate],
  ["false_alarms_low", (result) => falseAlarms(result)?.interval[0]],
  ["false_alarms_high", (result) => falseAlarms(result)?.interval[1]],
  ["false_alarms_promised", (result) => calibratedBy(result)?.falseAlarmRate],
  ["calibration_images", (result) => calibratedBy(result)?.images],
  ["extrapolated", (result) => calibratedBy(result) && String(calibratedBy(result)?.extrapolated ?? false)],
  ...caughtPercentages.map(
    (percentage, i) =>
      [
        `good_stopped_at_${percentage}_caught`,
        ({ presorting }: DecidedResult) => presorting?.goodStopped[i]?.rate,
      ] as const,
  ),
  ...stoppedPercentages.map(
    (percentage, i) =>
      [
        `defects_missed_at_${percentage}_stopped`,
        ({ presorting }: DecidedResult) => presorting?.defectsMissed[i]?.rate,
      ] as const,
  ),
  ["calibration", ({ calibration }) => calibration],
  ["best_control", (result) => bestControl(result)?.control.name],
  ["best_control_metric", (result) => bestControl(result)?.metric],
  ["best_control_value", (result) => bestControl(result)?.value],
];

const found = (result: DecidedResult) => decisionsOf(result).found;
const falseAlarms = (result: DecidedResult) => decisionsOf(result, result.falseAlarms).falseAlarms;

/** What the threshold comes from, where that is a calibration. */
function calibratedBy({ protocolBlock: { threshold } }: DecidedResult) {
  return "images" in threshold ? threshold : undefined;
}

/** Comma-separated values, one row a category, as RFC 4180 has it. */
export function summaryCsv(results: readonly DecidedResult[]): string {
  const quoted = (cell: string | number | undefined): string => {
    const text = cell === undefined ? "" : String(cell);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const rows = results.map((result) => columns.map(([, value]) => quoted(value(result))).join(","));
  return `${[columns.map(([title]) => title).join(","), ...rows].join("\r\n")}\r\n`;
}

/** What all objects say alike, keys within keys. */
function commonPart(values: readonly object[]): object {
  const [first, ...others] = values as Record<string, unknown>[];
  const common: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(first ?? {})) {
    const rest = others.map((other) => other[key]);
    if (isObject(value) && rest.every(isObject)) {
      const inner = commonPart([value, ...rest]);
      if (Object.keys(inner).length > 0) common[key] = inner;
    } else if (rest.every((other) => JSON.stringify(other) === JSON.stringify(value))) {
      common[key] = value;
    }
  }
  return common;
}

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
