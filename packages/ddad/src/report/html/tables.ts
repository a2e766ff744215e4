/** The tables of a report. */
import type { Interval } from "../../metrics/bootstrap.ts";
import type { Difference, NamedResult } from "../differences.ts";
import { flatten } from "../differences.ts";
import { meanOf } from "../resultGroups.ts";
import type { EvaluationResult } from "../results.ts";
import { type Html, html } from "./html.ts";

type Column = {
  readonly title: string;
  readonly value: (result: EvaluationResult) => number | undefined;
  /** Of the exact metric, also where the value is a published version of it. */
  readonly interval?: (result: EvaluationResult) => Interval | undefined;
  readonly exact?: (result: EvaluationResult) => number | undefined;
};

const imageColumns: readonly Column[] = [
  { title: "AUROC", value: ({ image }) => image.auroc, interval: ({ intervals }) => intervals.image.auroc },
  { title: "AP", value: ({ image }) => image.ap, interval: ({ intervals }) => intervals.image.ap },
  { title: "F1-max", value: ({ image }) => image.f1Max, interval: ({ intervals }) => intervals.image.f1Max },
];

const pixelColumns: readonly Column[] = [
  { title: "AUROC", value: ({ pixel }) => pixel?.auroc, interval: ({ intervals }) => intervals.pixel?.auroc },
  { title: "AP", value: ({ pixel }) => pixel?.ap },
  {
    title: "AUPRO 0.3",
    value: ({ pixel }) => pixel?.aupro30,
    interval: ({ intervals }) => intervals.pixel?.aupro30,
    exact: ({ exact }) => exact?.aupro30,
  },
  {
    title: "AUPRO 0.05",
    value: ({ pixel }) => pixel?.aupro05,
    interval: ({ intervals }) => intervals.pixel?.aupro05,
  },
];

const columns = [...imageColumns, ...pixelColumns];

/** A result with what its table links to and what its false alarms are, where that is known. */
export type ResultTableRow = NamedResult & {
  readonly anchor: string;
  readonly falseAlarms?: number | undefined;
};

/** Metrics in percent with their intervals below them, one row a result, and their mean where there are several. */
export function resultTable(caption: string, rows: readonly ResultTableRow[]): Html {
  const results = rows.map(({ result }) => result);
  const mean = columns.map(({ value }) => html`<td>${percent(meanOf(results.map(value)))}</td>`);
  return html`<div class="scroll"><table>
<caption>${caption}</caption>
<thead>
<tr><th class="text" rowspan="2">category</th><th rowspan="2">images</th><th class="group" colspan="${imageColumns.length}">of images</th><th class="group" colspan="${pixelColumns.length}">of pixels</th><th rowspan="2">threshold</th><th rowspan="2">false alarms</th><th rowspan="2">ms/image</th></tr>
<tr>${columns.map(({ title }) => html`<th>${title}</th>`)}</tr>
</thead>
<tbody>
${rows.map(({ name, anchor, result, falseAlarms }) => {
  const { images, threshold, msPerImage } = result;
  return html`<tr><td class="text"><a href="#${anchor}"><bdi>${name}</bdi></a></td><td>${images}</td>${columns.map((column) => metricCell(column, result))}<td>${threshold.toPrecision(4)}</td><td>${percent(falseAlarms)}</td><td>${msPerImage.p50.toFixed(0)}</td></tr>\n`;
})}${rows.length > 1 && html`<tr class="mean"><td class="text">mean</td><td></td>${mean}<td></td><td></td><td></td></tr>`}
</tbody>
</table></div>`;
}

function metricCell({ value, interval, exact }: Column, result: EvaluationResult): Html {
  const [range, exactly] = [interval?.(result), exact?.(result)];
  const parts = [
    exactly !== undefined ? `exact ${percent(exactly)}` : "",
    range ? `${percent(range[0])} … ${percent(range[1])}` : "",
  ].filter((part) => part !== "");
  return html`<td>${percent(value(result))}${parts.length > 0 && html`<small>${parts.join(": ")}</small>`}</td>`;
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
