/** The tables of a report. */
import type { ScoredImage } from "../../evaluation/evaluation.ts";
import type { Interval } from "../../metrics/bootstrap.ts";
import { type PresortedCount, presorting } from "../../metrics/presorting.ts";
import { describeControls } from "../controls.ts";
import {
  type CalibrationState,
  type CountedRate,
  controlAurocInterval,
  decisionsOf,
  describeState,
  shownAurocInterval,
  shownInterval,
} from "../decisions.ts";
import { describeCount, describeInterval, describePromised, describeThreshold } from "../decisionTables.ts";
import type { Difference, NamedResult } from "../differences.ts";
import { flatten } from "../differences.ts";
import { meanOf } from "../resultGroups.ts";
import type { ControlResult, EvaluationResult } from "../results.ts";
import { type Html, html } from "./html.ts";

type Column = {
  readonly title: string;
  readonly value: (result: EvaluationResult) => number | undefined;
  /** Of the exact metric, also where the value is a published version of it. */
  readonly interval?: (result: EvaluationResult) => Interval | undefined;
  readonly exact?: (result: EvaluationResult) => number | undefined;
};

const imageColumns: readonly Column[] = [
  { title: "AUROC", value: ({ image }) => image.auroc, interval: shownAurocInterval },
  {
    title: "AP",
    value: ({ image }) => image.ap,
    interval: ({ intervals }) => shownInterval(intervals.image.ap),
  },
  {
    title: "F1-max",
    value: ({ image }) => image.f1Max,
    interval: ({ intervals }) => shownInterval(intervals.image.f1Max),
  },
];

const pixelColumns: readonly Column[] = [
  {
    title: "AUROC",
    value: ({ pixel }) => pixel?.auroc,
    interval: ({ intervals }) => shownInterval(intervals.pixel?.auroc),
  },
  { title: "AP", value: ({ pixel }) => pixel?.ap },
  {
    title: "AUPRO 0.3",
    value: ({ pixel }) => pixel?.aupro30,
    interval: ({ intervals }) => shownInterval(intervals.pixel?.aupro30),
    exact: ({ exact }) => exact?.aupro30,
  },
  {
    title: "AUPRO 0.05",
    value: ({ pixel }) => pixel?.aupro05,
    interval: ({ intervals }) => shownInterval(intervals.pixel?.aupro05),
  },
];

const columns = [...imageColumns, ...pixelColumns];

/** A result with what its table links to and what its false alarms are, where that is known. */
export type ResultTableRow = NamedResult & {
  readonly anchor: string;
  readonly falseAlarms?: number | undefined;
  readonly calibration?: CalibrationState | undefined;
};

/**
 * Metrics in percent with their intervals below them, one row a result with its controls below it, and the mean of the results where
 * there are several; then a sentence for each result that is no better than its controls.
 */
export function resultTable(caption: string, rows: readonly ResultTableRow[]): Html {
  const results = rows.map(({ result }) => result);
  const mean = columns.map(({ value }) => html`<td>${percent(meanOf(results.map(value)))}</td>`);
  return html`<div class="scroll"><table>
<caption>${caption}</caption>
<thead>
<tr><th class="text" rowspan="2">category</th><th rowspan="2">images</th><th class="group" colspan="${imageColumns.length}">of images</th><th class="group" colspan="${pixelColumns.length}">of pixels</th><th rowspan="2">ms/image</th></tr>
<tr>${columns.map(({ title }) => html`<th>${title}</th>`)}</tr>
</thead>
<tbody>
${rows.map(({ name, anchor, result }) => {
  const { images, msPerImage } = result;
  return html`<tr><td class="text"><a href="#${anchor}"><bdi>${name}</bdi></a></td><td>${images}</td>${columns.map((column) => metricCell(column, result))}<td>${msPerImage.p50.toFixed(0)}</td></tr>\n${(result.controls ?? []).map((control) => controlRow(control, result))}`;
})}${rows.length > 1 && html`<tr class="mean"><td class="text">mean</td><td></td>${mean}<td></td></tr>`}
</tbody>
</table></div>
${rows.map(({ name, result }) => describeControls(result).map((sentence) => html`<p class="outdated">${rows.length > 1 && html`<bdi>${name}</bdi>: `}${sentence}</p>\n`))}`;
}

function controlRow(control: ControlResult, result: EvaluationResult): Html {
  const { name, image, pixel, exact, intervals } = control;
  const ap = intervals && shownInterval(intervals.image.ap);
  return html`<tr class="control"><td class="text"><bdi>${name}</bdi></td><td></td>${[
    valueCell(image.auroc, controlAurocInterval(result, control)),
    valueCell(image.ap, ap),
    valueCell(undefined),
    ...[pixel?.auroc, pixel?.ap].map((value) => valueCell(value)),
    valueCell(pixel?.aupro30, undefined, exact?.aupro30),
    valueCell(pixel?.aupro05),
  ]}<td></td></tr>\n`;
}

const metricCell = ({ value, interval, exact }: Column, result: EvaluationResult): Html =>
  valueCell(value(result), interval?.(result), exact?.(result));

function valueCell(value: number | undefined, range?: Interval, exactly?: number): Html {
  const parts = [
    exactly !== undefined ? `exact ${percent(exactly)}` : "",
    range ? describeInterval(range) : "",
  ].filter((part) => part !== "");
  return html`<td>${percent(value)}${parts.length > 0 && html`<small>${parts.join(": ")}</small>`}</td>`;
}

/** What each threshold decides, with intervals, and whether it is out of date. */
export function decisionTable(rows: readonly ResultTableRow[]): Html {
  return html`<div class="scroll decisions"><table>
<thead><tr><th class="text">category</th><th>threshold</th><th>false alarms promised</th><th>found</th><th>false alarms</th></tr></thead>
<tbody>
${rows.map(({ name, result, falseAlarms, calibration }) => {
  const { found, falseAlarms: alarms } = decisionsOf(result, falseAlarms);
  const outdated =
    calibration !== undefined &&
    calibration !== "current" &&
    html`<small class="outdated">${describeState(calibration)}</small>`;
  return html`<tr><td class="text"><bdi>${name}</bdi>${outdated}</td><td>${result.threshold.toPrecision(4)}</td><td>${describePromised(result)}</td>${rateCell(found)}${rateCell(alarms)}</tr>\n`;
})}</tbody>
</table></div>`;
}

const rateCell = (counted: CountedRate | undefined): Html =>
  counted === undefined
    ? html`<td>–</td>`
    : html`<td>${describeCount(counted)}<small>${describeInterval(counted.interval)}</small></td>`;

/** What thresholds chosen on the test set would give. @param scores say more than a result of version 0.1 holds */
export function presortingTable(
  { presorting: stored, images, protocolBlock }: EvaluationResult,
  scores: readonly ScoredImage[] | undefined,
): Html | undefined {
  const found = scores
    ? presorting(
        scores.map(({ label }) => label),
        scores.map(({ score }) => score),
      )
    : stored;
  if (!found) return undefined;
  const { good } = protocolBlock.data;
  type Row = readonly [at: string, threshold: string, count: string];
  const table = (title: string, value: string, rows: readonly Row[]): Html =>
    html`<table>
<thead><tr><th class="text">${title}</th><th>threshold</th><th>${value}</th></tr></thead>
<tbody>
${rows.map(([at, threshold, count]) => html`<tr><td class="text">${at}</td><td>${threshold}</td><td>${count}</td></tr>\n`)}</tbody>
</table>`;
  const row = (percentage: number, counted: PresortedCount, of: number): Row => [
    `${percentage} %`,
    describeThreshold(counted.threshold),
    describeCount({ ...counted, of }),
  ];
  const stopped = found.goodStopped.map((counted) => row(counted.defectsCaught, counted, good));
  const missed = found.defectsMissed.map((counted) => row(counted.goodStopped, counted, images - good));
  return html`<h3>Other thresholds (PGn, PBn)</h3>
<p class="faint">Chosen on these test images: what the scores allow, in percent, not what a calibrated threshold promises.</p>
<div class="side">
${table("defects caught, at least", "good parts stopped", stopped)}
${table("good parts stopped, at most", "defects missed", missed)}
</div>`;
}

/** How well each kind of defect is separated from good images. */
export function kindTable({ kinds }: EvaluationResult): Html {
  return html`<div class="scroll"><table>
<thead><tr><th class="text">kind of defect</th><th>images</th><th>found</th><th>image AUROC</th><th>pixel AUROC</th><th>AUPRO 0.3</th></tr></thead>
<tbody>
${kinds.map(({ kind, images, detected, auroc, pixel }) => {
  const fractions = [detected, auroc, pixel?.auroc, pixel?.aupro30];
  return html`<tr><td class="text"><bdi>${kind}</bdi></td><td>${images}</td>${fractions.map((fraction) => html`<td>${percent(fraction)}</td>`)}</tr>\n`;
})}</tbody>
</table></div>`;
}

/** Settings that are not the same everywhere, and which result has which. */
export function differenceTable(differences: readonly Difference[]): Html {
  return html`<div class="scroll"><table>
<thead><tr><th class="text">setting</th><th class="text">values</th><th class="text">what it means</th></tr></thead>
<tbody>
${differences.map(({ setting, effect, values }) => {
  const shown = values.map(
    ({ value, names }) =>
      html`<div><bdi>${value}</bdi> <span class="faint"><bdi>${names.join(", ")}</bdi></span></div>`,
  );
  return html`<tr><td class="text">${setting}</td><td class="text">${shown}</td><td class="text">${effect}</td></tr>\n`;
})}</tbody>
</table></div>`;
}

/** The protocol block, its sections flattened to dotted paths. */
export function protocolList({ protocolBlock }: EvaluationResult): Html {
  const entries = [...flatten(protocolBlock)];
  return html`<dl class="settings">
${entries.map(([setting, value]) => html`<div><dt>${setting}</dt><dd><bdi>${value}</bdi></dd></div>\n`)}</dl>`;
}

export const percent = (fraction: number | undefined): string =>
  fraction === undefined ? "–" : (fraction * 100).toFixed(1);
