/** `ddad report`: which results it finds, and how it prints and writes them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { Difference } from "../../ddad/src/report/differences.ts";
import type { EvaluationResult } from "../../ddad/src/report/results.ts";
import { checkMarkup, madeUpEvaluation, madeUpScores, writeEvaluation } from "../../ddad/test/evaluations.ts";
import { smallConfig } from "../../ddad/test/small.ts";
import { writeProcedural } from "../../node/src/datasets/writeProcedural.ts";
import { ddad, smallSettings } from "./commandLine.ts";

type Printed = {
  results: (EvaluationResult & { file: string; calibration?: string })[];
  differences: Difference[];
};

describe("ddad report", () => {
  let folder: string;
  let tile: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "ddad-report-"));
    const write = async (name: string, ...options: Parameters<typeof madeUpEvaluation>): Promise<string> =>
      writeEvaluation(join(folder, name), await madeUpEvaluation(...options));
    tile = await write("runs/tile/evaluation");
    await write("runs/weave/evaluation", { category: "weave" });
    await write("other/tile", { config: smallConfig({ sampling: { guidance: 5 } }) });
  });
  after(() => rmSync(folder, { recursive: true }));

  it("finds results however deep they lie, each once, and prints a table", async () => {
    const { code, output, errors } = await ddad("report", join(folder, "runs"), join(folder, "runs", "tile"));
    expect(code, errors).to.equal(0);
    const tables = output.split("\n\n").slice(0, 4);
    const names = tables.map((table) => table.split("\n").map((line) => line.split(" ")[0]));
    const ruled = (i: number, ...rows: string[]) => ["category", names[i]![1], ...rows];
    expect(names).to.deep.equal([
      ...[ruled(0, "tile", "weave", "mean"), ruled(1, "tile", "weave", "mean")],
      ...[ruled(2, "tile", "weave"), ruled(3, "tile", "weave")],
    ]);
    expect(
      Math.max(
        ...tables
          .join("\n")
          .split("\n")
          .map(({ length }) => length),
      ),
    ).to.be.at.most(80);
    expect(output)
      .to.match(/^tile +0\.7500 +33\.3 \(1 of 3\) +0\.8 … 90\.6$/m)
      .and.match(/^tile +25\.0 \(1 of 4\) +0\.6 … 80\.6 +33\.3$/m);
    expect(output)
      .to.match(/^AUROC: chance that /m)
      .and.match(/^AUPRO 0\.3, 0\.05: /m);
    expect(output).to.match(/^Intervals of 95 %: Clopper-Pearson for found and false alarms, bootstrap /m);
    expect(output).to.not.contain("differs");
  });

  it("prints JSON, CSV or Markdown, one of them", async () => {
    const json = await ddad("report", join(folder, "runs"), "--json");
    const { results, differences } = JSON.parse(json.output) as Printed;
    const { file, ...result } = results[0]!;
    expect(file).to.equal(join(tile, "results.json"));
    expect(result).to.deep.equal(JSON.parse(readFileSync(file, "utf8")));
    expect(differences).to.deep.equal([]);
    const csv = await ddad("report", join(folder, "runs"), "--csv");
    expect(csv.output.split("\r\n").map((line) => line.split(",")[1])).to.deep.equal([
      ...["category", "tile", "weave", undefined],
    ]);
    const markdown = await ddad("report", join(folder, "runs"), "--markdown");
    expect(markdown.output)
      .to.match(/^\| category +\|.*\n\| -+ \|/)
      .and.match(/"guidance": 0/);
    const both = await ddad("report", join(folder, "runs"), "--markdown", "--csv");
    expect(both.code).to.equal(2);
  });

  it("tells runs of one category apart by their folders, and says what differs", async () => {
    const { output } = await ddad("report", folder);
    expect(output)
      .to.match(/^tile \(runs\/tile\/evaluation\) .*\n/m)
      .and.match(/^tile \(other\/tile\) .*\n/m);
    expect(output.split("\n\n").find((part) => part.startsWith("What"))).to.equal(
      [
        "What differs between the runs:",
        "  a setting: what is compared",
        "    sampling.guidance",
        "      5: tile (other/tile)",
        "      0: tile (runs/tile/evaluation), weave",
      ].join("\n"),
    );
    const json = JSON.parse((await ddad("report", folder, "--json")).output) as Printed;
    expect(json.differences.map(({ setting }) => setting)).to.deep.equal(["sampling.guidance"]);
    expect((await ddad("report", folder, "--markdown")).output).to.contain("```text\nWhat differs");
  });

  it("leaves out what is no result and says so; without any it fails", async () => {
    const mixed = join(folder, "mixed");
    mkdirSync(mixed);
    writeFileSync(join(mixed, "results.json"), '{"accuracy": 1}');
    const some = await ddad("report", mixed, join(folder, "other"));
    expect(some.code).to.equal(0);
    expect(some.errors).to.match(
      /left out: .*mixed.results\.json is not a result of this version of ddad evaluate \(protocol: /,
    );
    const none = await ddad("report", mixed);
    expect(none.code).to.equal(2);
    expect(none.errors).to.match(/There is no result below .*mixed; ddad evaluate --out and ddad run leave/);
    const missing = await ddad("report", join(folder, "nowhere"));
    expect(missing.code).to.equal(2);
    expect(missing.errors).to.match(/nowhere is not a folder/);
  });

  it("writes a page that holds the images of wrong decisions", async () => {
    const page = join(folder, "pages", "report.html");
    const { code, errors } = await ddad("report", join(folder, "runs"), "--html", page, "--images", "3");
    expect(code, errors).to.equal(0);
    expect(errors).to.contain(`2 results are in ${page}`);
    const text = readFileSync(page, "utf8");
    checkMarkup(text);
    const png = readFileSync(join(tile, "test", "good", "3.png")).toString("base64");
    // Of two false alarms and four missed ones.
    expect(text.match(/<img src="([^"]*)"/g)).to.deep.equal(
      new Array(3).fill(`<img src="data:image/png;base64,${png}"`),
    );
    // All are listed, each with a thumbnail.
    expect(text.match(/<img class="thumbnail" src="data:image\/png;base64,/g)).to.have.length(14);
    expect(text.match(/<figure class="card/g)).to.have.length(14);
    const few = await ddad("report", join(folder, "runs", "tile"), "--html", page, "--thumbnails", "2");
    expect(few.errors).to.contain(`1 result is in ${page}`);
    const shorter = readFileSync(page, "utf8");
    expect(shorter.match(/<img class="thumbnail"/g)).to.have.length(2);
    expect(shorter.match(/<figure class="card/g)).to.have.length(7);
    // The image of a JPEG is a PNG beside it.
    expect(text)
      .to.contain('alt="test/stain/0.jpg"')
      .and.contain("Missed: defective images called good (1 of 2");
  });

  it("embeds images from the folder of the evaluation alone", async () => {
    const secret = join(folder, "secret.png");
    writeFileSync(secret, readFileSync(join(tile, "test", "good", "0.png")));
    const ids = ["../secret.png", secret, "test/good/none.png", "text.png"];
    const scores = madeUpScores.map((image, i) => (i < 4 ? { ...image, id: ids[i]!, score: 9 } : image));
    const evaluation = await madeUpEvaluation({ scores });
    const hostile = join(folder, "hostile");
    mkdirSync(hostile);
    writeFileSync(join(hostile, "text.png"), "not an image");
    const { result, kinds, falseAlarms } = evaluation;
    writeFileSync(join(hostile, "results.json"), JSON.stringify({ ...result, threshold: 5 }));
    writeFileSync(join(hostile, "scores.json"), JSON.stringify({ kinds, falseAlarms, scores }));
    const page = join(folder, "hostile.html");
    const { code, errors } = await ddad("report", hostile, "--html", page);
    expect(code, errors).to.equal(0);
    const text = readFileSync(page, "utf8");
    expect(text).to.not.contain("<img");
    expect(text.match(/There is no image of it/g)).to.have.length(7);

    writeFileSync(join(hostile, "scores.json"), JSON.stringify({ falseAlarms, scores: [] }));
    const torn = await ddad("report", hostile, "--html", page);
    expect(torn.code).to.equal(2);
    expect(torn.errors).to.match(/scores\.json does not belong to the results beside it: it has 0 images/);
    rmSync(join(hostile, "scores.json"));
    const bare = await ddad("report", hostile, "--html", page);
    expect(bare.code, bare.errors).to.equal(0);
    expect(bare.errors).to.match(/no curves and no images of .*hostile/);
  });

  it("reads what ddad evaluate writes", async () => {
    const root = writeProcedural(folder, {
      ...{ category: "tile", size: 32, train: 8, testGood: 2, testPerDefect: 1 },
    });
    const out = join(folder, "trained");
    const trained = await ddad("train", "--data", root, ...smallSettings, "--out", out);
    expect(trained.code, trained.errors).to.equal(0);
    const evaluated = await ddad("evaluate", "--checkpoint", out, "--out", join(out, "evaluation"), "--json");
    expect(evaluated.code, evaluated.errors).to.equal(0);
    const page = join(out, "report.html");
    const { code, output, errors } = await ddad("report", out, "--html", page, "--json");
    expect(code, errors).to.equal(0);
    const { file: _, calibration, ...result } = (JSON.parse(output) as Printed).results[0]!;
    expect(calibration).to.equal("current");
    expect(result).to.deep.equal(JSON.parse(evaluated.output));
    const text = readFileSync(page, "utf8");
    checkMarkup(text);
    expect(text.match(/<svg /g)).to.have.length(3);
    expect(text).to.contain(`<dt>device</dt><dd><bdi>${result.protocolBlock.device}</bdi></dd>`);
    expect(text).to.not.contain("run ddad evaluate again");

    const calibrated = await ddad("calibrate", "--checkpoint", out, "--set", "detection.falseAlarmRate=0.9");
    expect(calibrated.code, calibrated.errors).to.equal(0);
    const lower = await ddad("report", out, "--html", page);
    expect(lower.output).to.match(
      /^\(\*\) tile: made with another false-alarm rate: run ddad evaluate again$/m,
    );
    const other = ["--good", join(root, "test", "good"), "--force"];
    expect((await ddad("calibrate", "--checkpoint", out, ...other)).code).to.equal(0);
    const csv = await ddad("report", out, "--csv", "--html", page);
    const [header, row] = csv.output.split("\r\n").map((line) => line.split(","));
    expect(row![header!.indexOf("calibration")]).to.equal("another calibration");
    const outdated = readFileSync(page, "utf8");
    checkMarkup(outdated);
    expect(outdated).to.contain("These results were made with another calibration: run ddad evaluate again.");
    expect((await ddad("report", out, "--markdown")).output).to.contain(
      "(*) tile: made with another calibration",
    );
  });
});
