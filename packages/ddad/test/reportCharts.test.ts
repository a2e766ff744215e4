/** The plots of `ddad report`. */
import { expect } from "chai";
import { averagePrecision } from "../src/metrics/curves.ts";
import { precisionRecallCurve } from "../src/metrics/precisionRecall.ts";
import { chart, linePath } from "../src/report/html/chart.ts";
import { html } from "../src/report/html/html.ts";
import { precisionRecallChart, rocChart, scoreHistogram } from "../src/report/html/scoreCharts.ts";
import { checkMarkup } from "./evaluations.ts";

/** Two good and two defective images, one of each wrong at the threshold. */
const tiny = {
  threshold: 0.5,
  scored: [
    { label: 1, score: 0.9 },
    { label: 0, score: 0.8 },
    { label: 1, score: 0.4 },
    { label: 0, score: 0.1 },
  ],
} as const;

describe("plots", () => {
  const identity = { x: (value: number) => value * 100, y: (value: number) => 100 - value * 100 };

  it("draw points in the coordinates of their axes", () => {
    expect(
      linePath(
        [
          [0, 0],
          [0.5, 1 / 3],
          [1, 1],
        ],
        identity,
      ),
    ).to.equal("M0,100L50,66.67L100,0");
    const { text } = chart({
      title: "a < b",
      x: { label: "x", from: 0, to: 10 },
      y: { label: "y", from: -1, to: 1 },
      marks: ({ x, y }) => [html`<circle cx="${x(10)}" cy="${y(-1)}" r="1" />`],
    });
    checkMarkup(text);
    expect(text).to.contain('aria-label="a &lt; b"').and.contain('<circle cx="328" cy="222" r="1" />');
    expect([...text.matchAll(/class="tick x"[^>]*>([^<]*)/g)].map(([, label]) => label)).to.deep.equal([
      "0",
      "2",
      "4",
      "6",
      "8",
      "10",
    ]);
  });

  it("show the ROC curve of a case done by hand", () => {
    // From (0, 0) by the scores 0.9, 0.8, 0.4 and 0.1; the axes are from 44 to 328 and from 222 to 10.
    const { text } = rocChart(tiny);
    checkMarkup(text);
    expect(text).to.contain('class="curve" d="M44,222L44,116L186,116L186,10L328,10"');
    expect(text).to.contain('class="dot" cx="186" cy="116"');
  });

  it("show the precision-recall curve of a case done by hand, in steps", () => {
    const labels = tiny.scored.map(({ label }) => label);
    const scores = tiny.scored.map(({ score }) => score);
    const curve = precisionRecallCurve(labels, scores);
    expect(curve).to.deep.equal([
      { threshold: 0.9, recall: 0.5, precision: 1 },
      { threshold: 0.8, recall: 0.5, precision: 0.5 },
      { threshold: 0.4, recall: 1, precision: 2 / 3 },
      { threshold: 0.1, recall: 1, precision: 0.5 },
    ]);
    const area = curve.reduce(
      (sum, { recall, precision }, i) => sum + (recall - (curve[i - 1]?.recall ?? 0)) * precision,
      0,
    );
    expect(area).to.be.closeTo(averagePrecision(labels, scores), 1e-12);
    const { text } = precisionRecallChart(tiny);
    checkMarkup(text);
    expect(text).to.contain(
      'class="curve" d="M44,10L186,10L186,116L186,116L186,80.67L328,80.67L328,116L328,116"',
    );
    expect(text).to.contain('class="dot" cx="186" cy="116"');
    expect(text).to.contain('class="guide" d="M44,116L328,116"');
  });

  it("draw no dot where nothing is called defective, as there is no precision", () => {
    expect(precisionRecallChart({ ...tiny, threshold: 2 }).text).to.not.contain("<circle");
  });

  it("count scores in bins, good ones up, defective ones down", () => {
    const { text } = scoreHistogram({
      threshold: 0.5,
      scored: [...tiny.scored, { label: 0, score: 0.11 }, { label: 0, score: 0.8 }],
    });
    checkMarkup(text);
    const bars = [...text.matchAll(/<rect class="(\w+)"[^>]*height="([\d.]+)"><title>(\d+)/g)].map(
      ([, name, height, count]) => [name, Number(count), Number(height)],
    );
    // Two good images up, with a headroom of 0.3, and one defective one down share 212 pixels.
    expect(bars).to.deep.equal([
      ["good", 2, 128.48],
      ["good", 2, 128.48],
      ["defective", 1, 64.24],
      ["defective", 1, 64.24],
    ]);
    expect(text).to.contain("threshold 0.5");
  });

  it("survive scores that are all the same", () => {
    const same = {
      threshold: 1,
      scored: [
        { label: 0, score: 1 },
        { label: 1, score: 1 },
      ],
    } as const;
    for (const draw of [rocChart, precisionRecallChart, scoreHistogram]) {
      checkMarkup(draw(same).text);
      expect(draw(same).text).to.not.match(/NaN|Infinity/);
    }
  });
});
