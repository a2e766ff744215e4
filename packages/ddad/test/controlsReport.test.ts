/** When a model does not beat its controls, and where that is shown. */
import { expect } from "chai";
import { compareControls, describeControls } from "../src/report/controls.ts";
import { formatControls } from "../src/report/decisionTables.ts";
import { htmlReport } from "../src/report/html/page.ts";
import { type ControlResult, type EvaluationResult, formatResults } from "../src/report/results.ts";
import { readResult } from "../src/report/storedEvaluation.ts";
import { summaryCsv, summaryMarkdown } from "../src/report/summary.ts";
import { checkMarkup, madeUpEvaluation } from "./evaluations.ts";

const image = (auroc: number) => ({ auroc, ap: 0.5, f1Max: 0.5 });
const pixel = (aupro30: number) => ({ auroc: 0.9, ap: 0.1, aupro30, aupro05: 0.2 });
const brightness = (auroc: number): ControlResult => ({
  ...{ name: "brightness", image: { auroc, ap: 0.5 }, direction: "darker" },
});
const control = (name: string, auroc: number, aupro30?: number): ControlResult => ({
  ...{ name, image: { auroc, ap: 0.5 } },
  ...(aupro30 !== undefined && { pixel: pixel(aupro30) }),
});

const model = (auroc: number, aupro30?: number, ...controls: ControlResult[]) => ({
  image: image(auroc),
  ...(aupro30 !== undefined && { pixel: pixel(aupro30) }),
  controls,
});

describe("comparison with controls", () => {
  it("goes by AUPRO 0.3 where there are masks, and by the best control", () => {
    const controls = [
      brightness(0.6),
      control("blur residual", 0.99, 0.812),
      control("mean image", 0.5, 0.8),
    ];
    const { notBetter, brightness: bright } = compareControls(model(0.7, 0.807, ...controls));
    expect(notBetter).to.deep.equal({
      control: controls[1],
      metric: "AUPRO 0.3",
      model: 0.807,
      value: 0.812,
    });
    expect(bright).to.equal(undefined);
    expect(describeControls(model(0.7, 0.807, ...controls))).to.deep.equal([
      "No better than a control without a network: AUPRO 0.3 of 80.7 against 81.2 of the blur residual.",
    ]);
    expect(describeControls(model(0.7, 0.8121, ...controls)), "better by pixels").to.deep.equal([]);
    const even = compareControls(model(0.7, 0.812, ...controls, control("nearest good image", 0.5, 0.812)));
    expect(even.notBetter?.control.name, "equal is not better; the first of equals").to.equal(
      "blur residual",
    );
  });

  it("goes by image AUROC without masks", () => {
    const controls = [brightness(0.6), control("blur residual", 0.75)];
    expect(compareControls(model(0.75, undefined, ...controls)).notBetter).to.deep.equal({
      ...{ control: controls[1], metric: "image AUROC", model: 0.75, value: 0.75 },
    });
    expect(describeControls(model(0.751, undefined, ...controls))).to.deep.equal([]);
    expect(
      compareControls(model(0.7, 0.1, ...controls)).notBetter?.metric,
      "controls of a result with masks that have no pixel metrics",
    ).to.equal("image AUROC");
  });

  it("says where brightness alone is at or above the model, once", () => {
    const controls = [brightness(1), control("blur residual", 0.9, 0.5)];
    expect(describeControls(model(0.639, 0.9, ...controls))).to.deep.equal([
      "Brightness alone separates the images as well (the better of its two directions, chosen on these test images): " +
        "image AUROC of 100.0 against 63.9 of the model; the score may follow the brightness.",
    ]);
    expect(describeControls(model(0.639, 0.4, ...controls))).to.have.length(2);
    expect(describeControls(model(1, 0.9, ...controls)), "equal").to.have.length(1);
    expect(describeControls(model(0.639, undefined, ...controls))).to.deep.equal([
      "No better than a control without a network: image AUROC of 63.9 against 100.0 of the brightness " +
        "(the better of its two directions, chosen on these test images); the score may follow the brightness.",
    ]);
    const others = [brightness(0.7), control("blur residual", 0.9)];
    expect(
      describeControls(model(0.639, undefined, ...others)).map((text) => text.slice(0, 10)),
    ).to.deep.equal([...["No better ", "Brightness"]]);
  });

  it("says nothing of a result without controls", () => {
    expect(compareControls({ image: image(0.1) })).to.deep.equal({});
    expect(describeControls({ image: image(0.1), pixel: pixel(0.1) })).to.deep.equal([]);
    expect(describeControls(model(0.1, 0.1))).to.deep.equal([]);
  });
});

describe("controls in reports", () => {
  const withControls = async (category = "tile"): Promise<EvaluationResult> => {
    const { result } = await madeUpEvaluation({ category });
    const perfect: ControlResult = {
      ...control("mean image", 1),
      intervals: { image: { auroc: [1, 1], ap: [1, 1] } },
    };
    return {
      ...result,
      controls: [
        { ...brightness(0.99), intervals: { image: { auroc: [0.31, 0.62], ap: [0.4, 0.6] } } },
        { ...control("blur residual", 0.4321, 0.1234), exact: { aupro30: 0.125 } },
        perfect,
      ],
    };
  };

  it("stand below their result in tables, and have no part in the mean", async () => {
    const results = [await withControls(), await withControls("weave")];
    const lines = formatResults(results).split("\n");
    expect(lines.map((line) => line.slice(0, 15).trimEnd())).to.deep.equal([
      ...["category", "───────────────", "tile", "  brightness", "  blur residual", "  mean image"],
      ...["weave", "  brightness", "  blur residual", "  mean image", "mean"],
    ]);
    expect(lines[4]).to.match(/^ {2}blur residual +control +43\.2 +50\.0 +– +90\.0 +10\.0 +12\.3 +20\.0$/);
    expect(lines[3]).to.match(/^ {2}brightness +control +99\.0 +50\.0 +– +– +– +– +–$/);
    const plain = results.map(({ controls: _, ...rest }) => rest);
    const meanOf = (text: string): string[] => text.split("\n").at(-1)!.trim().split(/ +/);
    expect(meanOf(formatResults(results))).to.deep.equal(meanOf(formatResults(plain)));
    const markdown = summaryMarkdown(results);
    expect(markdown).to.match(/^\| blur residual +\| +control \|/m);
    expect(markdown)
      .to.match(/^tile: Brightness alone separates /m)
      .and.match(/^weave: Brightness alone /m);
    const csv = summaryCsv([results[0]!, plain[0]!])
      .split("\r\n")
      .map((line) => line.split(",").slice(-3).join());
    expect(csv.slice(0, 3)).to.deep.equal([
      ...["best_control,best_control_metric,best_control_value", "blur residual,AUPRO 0.3,0.1234", ",,"],
    ]);
    expect(formatControls(results.slice(0, 1))[0]).to.match(/^Brightness alone /);
  });

  it("stand in the page, with their intervals and the sentence", async () => {
    const result = await withControls();
    const page = htmlReport([{ name: "<tile>", folder: "runs/tile", result }]);
    checkMarkup(page);
    expect(page.match(/<tr class="control">/g)).to.have.length(3);
    expect(page).to.contain("<bdi>brightness</bdi></td><td></td><td>99.0<small>31.0 … 62.0</small></td>");
    expect(page).to.contain("<td>12.3<small>exact 12.5</small></td>");
    expect(page, "perfect by the bootstrap").to.not.contain("100.0 … 100.0");
    expect(page).to.match(/<p class="outdated">Brightness alone separates the images as well/);
    const two = htmlReport([
      { name: "<tile>", folder: "runs/tile", result },
      { name: "weave", folder: "runs/weave", result: await withControls("weave") },
    ]);
    checkMarkup(two);
    expect(two).to.contain('<p class="outdated"><bdi>&lt;tile&gt;</bdi>: Brightness alone');
    const { controls: _, ...old } = result;
    const without = htmlReport([{ name: "tile", folder: "runs/tile", result: old }]);
    checkMarkup(without);
    expect(without).to.not.contain('class="control"');
  });

  it("are read from files, which may be of versions without them", async () => {
    const result = await withControls();
    const stored = JSON.stringify(result);
    expect(readResult(stored)).to.deep.equal({ value: JSON.parse(stored) as object });
    const { controls, ...old } = result;
    expect(readResult(JSON.stringify(old)))
      .to.have.property("value")
      .that.does.not.have.property("controls");
    const wrong = { ...old, controls: [{ ...controls![1], image: { auroc: 2, ap: 0 } }] };
    expect(readResult(JSON.stringify(wrong)))
      .to.have.property("problem")
      .that.matches(/^controls\.0\.image\.auroc: /);
  });
});
