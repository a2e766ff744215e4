/** How the scores of images tell defective ones from good ones: two curves and a histogram. */
import { bin, extent, nice } from "d3-array";
import { rocCurve } from "../../metrics/curves.ts";
import { precisionRecallCurve } from "../../metrics/precisionRecall.ts";
import { chart, linePath, round, type Scales } from "./chart.ts";
import { type Html, html } from "./html.ts";

/** Scores of images whose truth is known, of both classes, and the score from which on one is called defective. */
export type ScoredSet = {
  readonly scored: readonly { readonly label: 0 | 1; readonly score: number }[];
  readonly threshold: number;
};

const fraction = { from: 0, to: 1 };

/** ROC, with what the threshold gives as a dot. */
export function rocChart(set: ScoredSet): Html {
  const points = rocCurve(labelsOf(set), scoresOf(set)).map(
    ({ falsePositiveRate, truePositiveRate }) => [falsePositiveRate, truePositiveRate] as const,
  );
  const { hits, alarms, positives, negatives } = countAbove(set);
  return chart({
    title: "ROC curve",
    x: { label: "good images called defective", ...fraction },
    y: { label: "defective images found", ...fraction },
    marks: (scales) => [
      guide([0, 0], [1, 1], scales),
      html`<path class="curve" d="${linePath(points, scales)}" />`,
      dot(alarms / negatives, hits / positives, scales),
    ],
  });
}

/** Precision against recall, in the steps whose area is the average precision, with what the threshold gives as a dot. */
export function precisionRecallChart(set: ScoredSet): Html {
  const points = precisionRecallCurve(labelsOf(set), scoresOf(set));
  const steps = points.flatMap(({ recall, precision }, i) => {
    const before = points[i - 1]?.recall ?? 0;
    return [[before, precision] as const, [recall, precision] as const];
  });
  const { hits, alarms, positives, negatives } = countAbove(set);
  const prevalence = positives / (positives + negatives);
  return chart({
    title: "Precision-recall curve",
    x: { label: "recall: defective images found", ...fraction },
    y: { label: "precision: alarms that are right", ...fraction },
    marks: (scales) =>
      [
        guide([0, prevalence], [1, prevalence], scales),
        html`<path class="curve" d="${linePath(steps, scales)}" />`,
        hits + alarms > 0 && dot(hits / positives, hits / (hits + alarms), scales),
      ].filter((mark) => mark !== false),
  });
}

/** Bins of a histogram, about as many as print can show. */
const binCount = 24;

/** Above the highest bar there is room for the name of the threshold. */
const headroom = 1.15;

/** How often each score occurs: good images above the axis, defective ones below it, and the threshold. */
export function scoreHistogram(set: ScoredSet): Html {
  const { scored, threshold } = set;
  const scores = scoresOf(set);
  const [low, high] = extent([...scores, threshold]) as [number, number];
  const [from, to] = nice(low, low < high ? high : low + 1, binCount);
  const bins = bin<number, number>().domain([from, to]).thresholds(binCount);
  const [good, defective] = ([0, 1] as const).map((wanted) =>
    bins(scored.filter(({ label }) => label === wanted).map(({ score }) => score)),
  ) as [ReturnType<typeof bins>, ReturnType<typeof bins>];
  const most = (counts: readonly (readonly number[])[]): number =>
    Math.max(1, ...counts.map(({ length }) => length));
  const bars = (
    side: readonly { readonly x0?: number | undefined; readonly x1?: number | undefined; length: number }[],
    name: "good" | "defective",
    { x, y }: Scales,
  ): Html[] =>
    side
      .filter(({ length }) => length > 0)
      .map(({ x0 = from, x1 = to, length }) => {
        const [left, right] = [x(x0), Math.max(x(x1) - 1, x(x0) + 1)];
        const [zero, end] = [y(0), y(name === "good" ? length : -length)];
        const scoreRange = `${short(x0)} to ${short(x1)}`;
        return html`<rect class="${name}" x="${round(left)}" y="${round(Math.min(zero, end))}" width="${round(right - left)}" height="${round(Math.abs(zero - end))}"><title>${length} ${name}, scores ${scoreRange}</title></rect>`;
      });
  return chart({
    title: "Scores of good and defective images",
    x: { label: "score", from, to },
    y: {
      label: "← defective · images · good →",
      from: -most(defective),
      to: headroom * most(good),
      format: (count) => (Number.isInteger(count) ? String(Math.abs(count)) : ""),
    },
    marks: (scales) => {
      const at = round(scales.x(threshold));
      const [top, bottom] = [round(scales.y(headroom * most(good))), round(scales.y(-most(defective)))];
      const anchor = at > scales.x((from + to) / 2) ? "end" : "start";
      return [
        ...bars(good, "good", scales),
        ...bars(defective, "defective", scales),
        html`<path class="frame" d="${linePath(
          [
            [from, 0],
            [to, 0],
          ],
          scales,
        )}" />`,
        html`<path class="threshold" d="M${at},${top}V${bottom}" />`,
        html`<text class="mark ${anchor}" x="${at + (anchor === "end" ? -4 : 4)}" y="${top + 9}">threshold ${short(threshold)}</text>`,
      ];
    },
  });
}

type Point = readonly [x: number, y: number];

const guide = (from: Point, to: Point, scales: Scales): Html =>
  html`<path class="guide" d="${linePath([from, to], scales)}" />`;

const dot = (x: number, y: number, scales: Scales): Html =>
  html`<circle class="dot" cx="${round(scales.x(x))}" cy="${round(scales.y(y))}" r="4"><title>at the threshold</title></circle>`;

const short = (value: number): string => String(Number(value.toPrecision(3)));

const labelsOf = ({ scored }: ScoredSet): number[] => scored.map(({ label }) => label);
const scoresOf = ({ scored }: ScoredSet): number[] => scored.map(({ score }) => score);

function countAbove({ scored, threshold }: ScoredSet) {
  const positives = scored.filter(({ label }) => label === 1).length;
  const above = scored.filter(({ score }) => score >= threshold);
  const hits = above.filter(({ label }) => label === 1).length;
  return { hits, alarms: above.length - hits, positives, negatives: scored.length - positives };
}
