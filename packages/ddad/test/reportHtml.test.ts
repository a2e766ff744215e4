/** The page of `ddad report`: what is chosen for it, and its markup. */
import { expect } from "chai";
import type { ScoredImage } from "../src/evaluation/evaluation.ts";
import * as library from "../src/internal.ts";
import { decisionsOf, shownAurocInterval } from "../src/report/decisions.ts";
import { formatDecisions } from "../src/report/decisionTables.ts";
import { flatten, protocolDifferences } from "../src/report/differences.ts";
import { glossary } from "../src/report/glossary.ts";
import { html } from "../src/report/html/html.ts";
import { nearestToThreshold } from "../src/report/html/imageList.ts";
import { htmlReport, type ReportedRun } from "../src/report/html/page.ts";
import { groupResults, meanOf, nameResults } from "../src/report/resultGroups.ts";
import { readResult, readScores } from "../src/report/storedEvaluation.ts";
import { summaryCsv } from "../src/report/summary.ts";
import { fairCounts, wrongDecisions } from "../src/report/wrongDecisions.ts";
import { checkMarkup, type MadeUpEvaluation, madeUpEvaluation, madeUpScores } from "./evaluations.ts";
import { smallConfig } from "./small.ts";

describe("markup", () => {
  it("is escaped unless it is markup", () => {
    const name = `<script>"&'</script>`;
    expect(html`<p title="${name}">${name}${html`<b>${1}</b>`}${[undefined, false, "x"]}</p>`.text).to.equal(
      '<p title="&lt;script&gt;&quot;&amp;&#39;&lt;/script&gt;">&lt;script&gt;&quot;&amp;&#39;&lt;/script&gt;<b>1</b>x</p>',
    );
  });

  it("holds no character that XML forbids", () => {
    expect(html`${"a\u0000b\ud800c\u001bd\ufffee\tf🙂"}`.text).to.equal("a\ufffdb\ufffdc\ufffdd\ufffde\tf🙂");
  });
});

describe("wrong decisions", () => {
  it("are the good images above a threshold and the defective ones below it, the worst first", () => {
    const wrong = wrongDecisions(madeUpScores, 0.2);
    expect(wrong["false alarm"].map(({ id }) => id)).to.deep.equal([
      "test/good/3.png",
      "test/good/2.png",
      "test/good/1.png",
    ]);
    expect(wrong.missed.map(({ id }) => id)).to.deep.equal(["test/stain/0.jpg"]);
    expect(wrongDecisions(madeUpScores, 0.75).missed.map(({ score }) => score)).to.deep.equal([0.15, 0.7]);
    expect(wrongDecisions(madeUpScores, 0.15).missed).to.deep.equal([]);
  });

  it("share the places in the page", () => {
    expect(fairCounts([1, 5, 0, 9], 7)).to.deep.equal([1, 3, 0, 3]);
    expect(fairCounts([1, 2], 24)).to.deep.equal([1, 2]);
    expect(fairCounts([], 24)).to.deep.equal([]);
  });
});

const run = async (name: string, options: MadeUpEvaluation = {}): Promise<ReportedRun> => {
  const { result, falseAlarms, scores } = await madeUpEvaluation(options);
  const decisions = wrongDecisions(scores, result.threshold);
  return {
    ...{ name, folder: `runs/${name}`, result, scores: { falseAlarms, scores } },
    wrong: { decisions, shown: { "false alarm": 24, missed: 24 } },
    imageOf: (id) => `data:image/png;base64,${Buffer.from(id).toString("base64")}`,
  };
};

describe("differences between protocols", () => {
  it("say what each means, the gravest first, and who has which value", async () => {
    const config = smallConfig({ sampling: { guidance: 5 }, detection: { falseAlarmRate: 0.4 } });
    const changed = madeUpScores.map((image, i) => (i === 0 ? { ...image, id: "other.png" } : image));
    const runs = [await run("a"), await run("b", { config }), await run("c", { scores: changed })];
    const differences = protocolDifferences(runs);
    expect(differences.map(({ setting }) => setting)).to.deep.equal([
      "data.sha256",
      "detection.falseAlarmRate",
      "sampling.guidance",
    ]);
    expect(differences[0]!.effect).to.match(/no metric can be compared/);
    expect(differences[0]!.values.map(({ names }) => names)).to.deep.equal([["a", "b"], ["c"]]);
    expect(differences[2]!.values).to.deep.equal([
      { value: "0", names: ["a", "c"] },
      { value: "5", names: ["b"] },
    ]);
  });

  it("know the same files at another size", async () => {
    const at = async (name: string, size: string, files?: string): Promise<ReportedRun> => {
      const made = await run(name);
      const { data } = made.result.protocolBlock;
      const protocolBlock = {
        ...made.result.protocolBlock,
        data: { ...data, sha256: size, ...(files !== undefined && { files }) },
      };
      return { ...made, result: { ...made.result, protocolBlock } };
    };
    const effects = (runs: readonly ReportedRun[]) =>
      protocolDifferences(runs).map(({ setting, effect }) => [setting, effect.split(":")[0]]);
    expect(effects([await at("a", "128", "f"), await at("b", "64", "f")])).to.deep.equal([
      ["data.sha256", "the same test images at another size"],
    ]);
    const other = [["data.sha256", "different test images, or the same ones at another size"]];
    expect(effects([await at("a", "128", "f"), await at("b", "64", "g")])).to.deep.equal(other);
    // A result of version 0.1 does not say which files it was made of.
    expect(effects([await at("a", "128", "f"), await at("b", "64")])).to.deep.equal(other);
    expect(effects([await at("a", "128", "f"), await at("b", "128", "g")])).to.deep.equal([]);
  });

  it("expect each category to have images of its own", async () => {
    expect(
      protocolDifferences([
        await run("a"),
        await run("b", { category: "weave", scores: madeUpScores.slice(1) }),
      ]),
    ).to.deep.equal([]);
  });

  it("are none where a method has no such setting", async () => {
    const config = smallConfig({ method: "patchcore", features: { network: "resnet18" } });
    const differences = protocolDifferences([await run("a"), await run("b", { config })]);
    expect(differences.map(({ setting }) => setting)).to.deep.equal(["method", "features.network"]);
  });

  it("have one path for every value", () => {
    expect([...flatten({ a: 1, b: { c: [1, 2], d: { e: "x" } }, f: undefined })]).to.deep.equal([
      ["a", "1"],
      ["b.c", "[1,2]"],
      ["b.d.e", "x"],
    ]);
  });
});

describe("stored evaluations", () => {
  it("are read as they were written, and what is none is refused with its reason", async () => {
    const { result, falseAlarms, scores } = await madeUpEvaluation();
    const stored = JSON.parse(JSON.stringify(result)) as object;
    expect(readResult(JSON.stringify(result))).to.deep.equal({ value: stored });
    expect(readResult("{")).to.deep.equal({ problem: "it is not JSON" });
    expect(readResult("[]")).to.have.property("problem").that.matches(/^it: /);
    expect(readResult(JSON.stringify({ ...stored, image: { auroc: "<b>" } })))
      .to.have.property("problem")
      .that.matches(/^image\.auroc: /);
    const text = JSON.stringify({ falseAlarms, scores });
    expect(readScores(text, result)).to.deep.equal({ value: { falseAlarms, scores } });
    expect(readScores(JSON.stringify({ falseAlarms, scores: scores.slice(1) }), result)).to.deep.equal({
      problem: "it has 6 images, 3 of them good, but the result has 7 and 4",
    });
  });

  it("of version 0.1 have their decisions counted from what they hold", async () => {
    const { result, falseAlarms } = await madeUpEvaluation();
    const { decisions, presorting: _, ...old } = result;
    expect(decisionsOf(old, falseAlarms)).to.deep.equal(decisions);
    expect(decisions!.found).to.deep.include({ count: 1, of: 3, rate: 1 / 3 });
    expect(decisions!.falseAlarms).to.deep.include({ count: 1, of: 4, rate: 0.25 });
    expect(decisionsOf(old)).to.not.have.property("falseAlarms");
    expect(readResult(JSON.stringify(old))).to.have.property("value");
    const csv = summaryCsv([old])
      .split("\r\n")
      .map((line) => line.split(","));
    const cell = (name: string) => csv[1]![csv[0]!.indexOf(name)];
    expect(Number(cell("found"))).to.equal(1 / 3);
    expect([cell("false_alarms"), cell("good_stopped_at_90_caught"), cell("calibration")]).to.deep.equal([
      ...["", "", ""],
    ]);
    expect(formatDecisions([old])).to.match(/^tile .* 33\.3 \(1 of 3\) +0\.8 … 90\.6 +– +– +33\.3$/m);
  });

  it("with a perfect score have an interval that leaves room", async () => {
    const perfect = madeUpScores.map((image) => ({ ...image, score: image.label + 0.1 }));
    const { result } = await madeUpEvaluation({ scores: perfect });
    expect(result.intervals.image.auroc).to.deep.equal([1, 1]);
    const [low, high] = shownAurocInterval(result);
    expect(low).to.be.within(0.4, 0.7);
    expect(high).to.equal(1);
    const page = htmlReport([{ name: "tile", folder: "runs/tile", result }]);
    expect(page).to.not.contain("100.0 … 100.0");
  });

  it("are named by their category, and by their folder where that is not enough", async () => {
    const { result } = await madeUpEvaluation();
    const weave = { ...result, category: "weave" };
    const named = nameResults([
      { folder: "a", result },
      { folder: "b", result },
      { folder: "c", result: weave },
    ]);
    expect(named.map(({ name }) => name)).to.deep.equal(["tile (a)", "tile (b)", "weave"]);
    const folders = ["runs/ddad/tile/evaluation", "runs/knn/tile/evaluation", "runs/knn/a/tile/evaluation"];
    const nested = nameResults(folders.map((folder) => ({ folder, result })));
    expect(nested.map(({ name }) => name)).to.deep.equal(["tile (ddad)", "tile (knn)", "tile (knn/a)"]);
    const within = nameResults(["runs", "runs/again"].map((folder) => ({ folder, result })));
    expect(within.map(({ name }) => name)).to.deep.equal(["tile (.)", "tile (again)"]);
  });

  it("have a mean within their method and protocol alone, and only of what all have", async () => {
    const { result } = await madeUpEvaluation();
    const paper = { ...result, protocol: "paper" as const };
    const groups = groupResults([
      { name: "a", result },
      { name: "b", result: paper },
      { name: "c", result },
    ]);
    expect(groups.map(({ title, members }) => [title, members.map(({ name }) => name)])).to.deep.equal([
      ["ddad, strict protocol", ["a", "c"]],
      ["ddad, paper protocol", ["b"]],
    ]);
    expect(meanOf([0.5, 1])).to.equal(0.75);
    expect(meanOf([0.5, undefined])).to.equal(undefined);
    expect(meanOf([])).to.equal(undefined);
  });
});

describe("the page", () => {
  it("holds tables, curves, images and protocol of every run, and nothing from elsewhere", async () => {
    const runs = [await run("tile"), await run("weave", { category: "weave" })];
    const page = htmlReport(runs);
    checkMarkup(page);
    expect(page.match(/<svg /g)).to.have.length(6);
    for (const { result, scores } of runs) {
      const [low, high] = result.intervals.image.auroc.map((value) => (100 * value).toFixed(1));
      expect(page).to.contain(
        `<td>${(100 * result.image.auroc).toFixed(1)}<small>${low} … ${high}</small></td>`,
      );
      expect(page).to.contain(`area ${(100 * result.image.auroc).toFixed(1)} %`);
      const wrong = wrongDecisions(scores!.scores, result.threshold);
      for (const { id } of [...wrong["false alarm"], ...wrong.missed]) {
        expect(page).to.contain(
          `src="data:image/png;base64,${Buffer.from(id).toString("base64")}" alt="${id}"`,
        );
      }
      expect(page).to.contain(`<dt>data.sha256</dt><dd><bdi>${result.protocolBlock.data.sha256}</bdi>`);
    }
    expect(page).to.match(/<bdi>scratch<\/bdi><\/td><td>2<\/td>/);
    expect(page).to.contain('<tr class="mean">');
    expect(page).to.contain("Nothing but the category");
    expect(page).to.not.match(/<script|<link|(?:src|href)="(?!data:image\/png;base64,|#)|url\(|@import/);
    expect(page).to.contain("prefers-color-scheme:dark").and.contain("@media print");
  });

  it("lists all images by their scores, with the threshold between them", async () => {
    const made = await run("tile");
    const thumbnails = new Map([["test/good/3.png", "data:image/png;base64,AAAA"]]);
    const page = htmlReport([{ ...made, thumbnails }]);
    checkMarkup(page);
    const list = page.slice(page.indexOf("All images by their scores (7)"));
    const scores = [...list.matchAll(/<strong>([\d.]+)<\/strong>|class="line"/g)].map(([, score]) => score);
    expect(scores).to.deep.equal([
      ...["0.9000", "0.8000", undefined, "0.7000", "0.3000", "0.2000", "0.1500", "0.1000"],
    ]);
    expect([...list.matchAll(/class="mistake">([^<]*)/g)].map(([, text]) => text)).to.deep.equal([
      ...["false alarm", "missed", "missed"],
    ]);
    expect(list.match(/<img class="thumbnail" src="data:image\/png;base64,AAAA"/g)).to.have.length(1);
    expect(nearestToThreshold(made.scores!.scores, 0.75, 2).map(({ score }) => score)).to.deep.equal([
      0.8, 0.7,
    ]);
  });

  it("explains its numbers, and what other thresholds would give", async () => {
    const page = htmlReport([await run("tile")]);
    for (const [term] of glossary) expect(page).to.contain(`<dt>${term}</dt><dd>`);
    expect(page).to.contain("Clopper-Pearson for found and false alarms");
    expect(page).to.contain('<td class="text">100 %</td><td>0.1500</td><td>75.0 (3 of 4)</td>');
    expect(page).to.contain("<td>33.3 (1 of 3)<small>0.8 … 90.6</small></td>");
    const outdated = htmlReport([{ ...(await run("tile")), calibration: "another calibration" }]);
    checkMarkup(outdated);
    expect(outdated).to.contain("These results were made with another calibration: run ddad evaluate again.");
  });

  it("shows the exact value beside a published version, as the interval is that of the exact one", async () => {
    const config = smallConfig({ protocol: "paper", detection: { crop: 0 } });
    const page = htmlReport([await run("tile", { config }), await run("weave", { category: "weave" })]);
    checkMarkup(page);
    expect(page).to.match(/<td>[\d.]+<small>exact [\d.]+: [\d.]+ … [\d.]+<\/small><\/td>/);
    expect(page.match(/<caption>[^<]*/g)).to.deep.equal([
      "<caption>ddad, paper protocol",
      "<caption>ddad, strict protocol",
    ]);
    expect(page).to.contain("pixel metrics cannot be compared").and.not.contain('<tr class="mean">');
  });

  it("shows names of files as they are, whatever they hold", async () => {
    const name = `"><img src=x onerror=alert(1)>&<script>'.png`;
    const scores: ScoredImage[] = madeUpScores.map((image) => ({
      ...image,
      kind: `${image.kind}<b>`,
    }));
    scores[3] = { ...scores[3]!, id: name };
    const hostile = await run(`</title><script>${name}`, { scores });
    const page = htmlReport([{ ...hostile, folder: `runs/${name}`, imageOf: () => undefined }]);
    checkMarkup(page);
    expect(page).to.not.match(/<script|<img|<b>/);
    expect(page).to.contain("&quot;&gt;&lt;img src=x onerror=alert(1)&gt;&amp;&lt;script&gt;&#39;.png");
    expect(page).to.contain("There is no image of it.");
  });

  it("is made by the library of an evaluation in memory, without files", async () => {
    const evaluation = await madeUpEvaluation();
    const { result, scores } = evaluation;
    const wrong = {
      decisions: library.wrongDecisions(scores, result.threshold),
      shown: { "false alarm": 24, missed: 24 },
    };
    const [named] = library.nameResults([{ folder: "runs/tile", result }]);
    const page = library.htmlReport([{ ...named!, scores: evaluation, wrong }]);
    checkMarkup(page);
    expect(page.match(/<svg /g)).to.have.length(3);
    expect(page.match(/There is no image of it/g)).to.have.length(3);
  });

  it("says what it leaves out", async () => {
    const { scores: _, wrong, ...rest } = await run("tile");
    const bare = htmlReport([{ ...rest }]);
    checkMarkup(bare);
    expect(bare).to.contain("There is no scores.json").and.not.contain("<svg");
    const full = await run("tile");
    const part = htmlReport([{ ...full, wrong: { ...wrong!, shown: { "false alarm": 0, missed: 0 } } }]);
    expect(part).to.contain("(0 of 1, the worst first)").and.not.contain("<img");
    const right = htmlReport([
      { ...full, wrong: { ...wrong!, decisions: { "false alarm": [], missed: [] } } },
    ]);
    expect(right).to.contain("Every test image is decided rightly.");
  });
});
