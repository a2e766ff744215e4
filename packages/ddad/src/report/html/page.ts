/** The report of evaluations as one page of HTML that needs no other file and no script. */
import { type CalibrationState, describeState } from "../decisions.ts";
import { type NamedResult, protocolDifferences } from "../differences.ts";
import { glossary, intervalNote } from "../glossary.ts";
import { groupResults } from "../resultGroups.ts";
import type { StoredScores } from "../storedEvaluation.ts";
import type { Mistake, WrongDecisions } from "../wrongDecisions.ts";
import { type Html, html } from "./html.ts";
import { imageList } from "./imageList.ts";
import { precisionRecallChart, rocChart, scoreHistogram } from "./scoreCharts.ts";
import { style } from "./style.ts";
import {
  decisionTable,
  differenceTable,
  kindTable,
  percent,
  presortingTable,
  protocolList,
  resultTable,
} from "./tables.ts";

/** An evaluation as the page shows it. */
export type ReportedRun = NamedResult & {
  /** Where it lies; only printed. */
  readonly folder: string;
  /** Absent where they were not kept: then there are no curves and no images. */
  readonly scores?: StoredScores | undefined;
  /** Wrong decisions, and how many of each sort to show. */
  readonly wrong?: { readonly decisions: WrongDecisions; readonly shown: Readonly<Record<Mistake, number>> };
  /** The image of an inspection as a data URL; undefined where there is none, as there is none without it. */
  readonly imageOf?: (id: string) => string | undefined;
  /** Small images of inspections as data URLs, by their ids; the list of all images shows them. */
  readonly thumbnails?: ReadonlyMap<string, string> | undefined;
  /** Whether the threshold is that of the model beside the result, where there is one. */
  readonly calibration?: CalibrationState | undefined;
};

/**
 * The page, to be written as UTF-8: tables by method and protocol, what differs between the runs, and of each its curves, its
 * kinds of defects, its wrong decisions and its protocol.
 *
 * ```ts
 * const evaluation = await evaluateDetection(detector, test);
 * const { result, scores } = evaluation;
 * const wrong = { decisions: wrongDecisions(scores, result.threshold), shown: { "false alarm": 12, missed: 12 } };
 * const page = htmlReport([{ name: "screw", folder: "runs/screw", result, scores: evaluation, wrong }]);
 * ```
 */
export function htmlReport(runs: readonly ReportedRun[]): string {
  const rows = runs.map((run, index) => ({
    ...run,
    anchor: anchorOf(index),
    falseAlarms: run.scores?.falseAlarms,
  }));
  const tables = groupResults(rows).map(({ title, members }) => [
    resultTable(title, members),
    decisionTable(members),
  ]);
  const levels = [...new Set(runs.map(({ result }) => result.intervals.level))];
  const page = html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'" />
<title>Defect detection: ${runs.map(({ name }) => name).join(", ")}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>Defect detection</h1>
<p class="faint">Metrics in percent, below them their intervals.</p>
${tables}
<details><summary>What the numbers mean</summary>
<dl class="glossary">
${glossary.map(([term, meaning]) => html`<div><dt>${term}</dt><dd>${meaning}.</dd></div>\n`)}</dl>
${levels.map((level) => html`<p>${intervalNote(level)}</p>`)}
</details>
${runs.length > 1 && differencesSection(runs)}
${runs.map(runSection)}
</main>
</body>
</html>
`;
  return page.text;
}

const anchorOf = (index: number): string => `run-${index + 1}`;

function differencesSection(runs: readonly ReportedRun[]): Html {
  const differences = protocolDifferences(runs);
  return html`<h2>What differs between the runs</h2>
${differences.length === 0 ? html`<p>Nothing but the category: their protocols are the same.</p>` : differenceTable(differences)}`;
}

function runSection(run: ReportedRun, index: number): Html {
  const { name, folder, result, scores, calibration } = run;
  const { method, device } = result.protocolBlock;
  return html`<section class="run" id="${anchorOf(index)}">
<h2><bdi>${name}</bdi></h2>
<p class="faint path">${method}, ${result.protocol} protocol${device !== undefined && `, ${device}`}: <bdi>${folder}</bdi></p>
${calibration !== undefined && calibration !== "current" && html`<p class="outdated">These results were ${describeState(calibration)}.</p>`}
${scores ? plots(run, scores) : html`<p>There is no scores.json beside these results: no curves, and no images.</p>`}
<h3>Kinds of defects</h3>
${kindTable(result)}
${presortingTable(result, scores?.scores)}
${gallery(run)}
${scores && imageList(scores.scores, result.threshold, run.thumbnails ?? new Map())}
<h3>Protocol</h3>
${protocolList(result)}
</section>
`;
}

function plots({ result }: ReportedRun, { scores, falseAlarms }: StoredScores): Html {
  const set = { scored: scores, threshold: result.threshold };
  const { auroc, ap } = result.image;
  const figures: [Html, string][] = [
    [rocChart(set), `ROC, area ${percent(auroc)} %; the dot is the threshold`],
    [
      precisionRecallChart(set),
      `Precision and recall, average precision ${percent(ap)} %; dashed: by chance`,
    ],
    [
      scoreHistogram(set),
      `Scores; at the threshold ${percent(falseAlarms)} % of the good images are false alarms`,
    ],
  ];
  return html`<div class="plots">
${figures.map(([figure, caption]) => html`<figure>${figure}<figcaption>${caption}</figcaption></figure>\n`)}</div>`;
}

const headings: Readonly<Record<Mistake, string>> = {
  "false alarm": "False alarms: good images called defective",
  missed: "Missed: defective images called good",
};

function gallery({ wrong, imageOf, result }: ReportedRun): Html | undefined {
  if (!wrong) return undefined;
  const { decisions, shown } = wrong;
  const mistakes = (Object.keys(headings) as Mistake[]).filter((mistake) => decisions[mistake].length > 0);
  if (mistakes.length === 0) return html`<p>Every test image is decided rightly.</p>`;
  const figure = ({ id, kind, score }: WrongDecisions[Mistake][number]): Html => {
    const source = imageOf?.(id);
    const image =
      source === undefined
        ? html`<p class="faint">There is no image of it.</p>`
        : html`<img src="${source}" alt="${id}" />`;
    return html`<figure>${image}<figcaption><bdi>${id}</bdi> <span class="faint"><bdi>${kind}</bdi>, score ${score.toPrecision(4)} (threshold ${result.threshold.toPrecision(4)})</span></figcaption></figure>\n`;
  };
  return html`${mistakes.map((mistake) => {
    const all = decisions[mistake];
    const count = shown[mistake];
    const part = count < all.length ? `${count} of ${all.length}, the worst first` : String(all.length);
    return html`<h3>${headings[mistake]} (${part})</h3>
<div class="gallery">
${all.slice(0, count).map(figure)}</div>
`;
  })}`;
}
