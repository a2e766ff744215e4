/** Evaluation and calibration from the command line, of a model that is trained once. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCheckpoint } from "@ddad/nn";
import { evaluateModel, openModel, type StageEvent } from "@ddad/node/internal";
import { expect } from "chai";
import { createImage } from "../../ddad/src/images/image.ts";
import { writeProcedural } from "../../node/src/datasets/writeProcedural.ts";
import { writeImage } from "../../node/src/images/png.ts";
import { ddad, filesIn, smallSettings } from "./commandLine.ts";

describe("ddad evaluate and ddad calibrate", () => {
  let folder: string;
  let root: string;
  let whole: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "ddad-evaluate-"));
    root = writeProcedural(folder, { category: "tile", size: 32, train: 8, testGood: 2, testPerDefect: 1 });
    whole = join(folder, "whole");
    const { code, errors } = await ddad("train", "--data", root, ...smallSettings, "--out", whole);
    expect(code, errors).to.equal(0);
  });
  after(() => rmSync(folder, { recursive: true }));

  it("evaluates: one object in the agreed form, images where asked for", async () => {
    const out = join(folder, "evaluation");
    const { code, output, errors } = await ddad("evaluate", "--checkpoint", whole, "--out", out, "--json");
    expect(code, errors).to.equal(0);
    const result = JSON.parse(output) as Record<string, object>;
    expect(Object.keys(result)).to.deep.equal([
      "protocol",
      "dataset",
      "category",
      "images",
      "image",
      "pixel",
      "threshold",
      "msPerImage",
      "intervals",
      "kinds",
      "decisions",
      "presorting",
      "controls",
      "protocolBlock",
    ]);
    expect(Object.keys(result["image"]!)).to.deep.equal(["auroc", "ap", "f1Max"]);
    expect(Object.keys(result["pixel"]!)).to.deep.equal(["auroc", "ap", "aupro30", "aupro05"]);
    expect(Object.keys(result["msPerImage"]!)).to.deep.equal(["p50", "p95"]);
    expect(result).to.include({ protocol: "strict", category: "tile", images: 6 });
    expect(JSON.parse(readFileSync(join(out, "results.json"), "utf8"))).to.deep.equal(result);
    expect(filesIn(out).filter((file) => file.endsWith(".png"))).to.have.length(7);
    expect(filesIn(out)).to.include.members(["overview.png", join("test", "missing", "000.png")]);
  });

  it("never leaves results of one evaluation beside images of another, nor replaces test images", async () => {
    const out = join(folder, "evaluation");
    const { path, model, config } = await openModel(whole);
    const image = join(out, "test", "missing", "000.png");
    writeFileSync(join(out, "notes.txt"), "kept");
    writeFileSync(join(out, "photograph.png"), "kept");
    const stop = new AbortController();
    const onEvent = ({ type }: StageEvent): void => {
      if (type !== "inspected") return;
      expect(existsSync(join(out, "results.json")), "until there is a new result").to.equal(true);
      stop.abort();
    };
    const stopped = await evaluateModel(model, config, path, { out, signal: stop.signal, onEvent }).catch(
      (error: unknown) => error,
    );
    expect(stopped).to.equal(stop.signal.reason);
    expect(filesIn(out).sort()).to.deep.equal([
      ...["notes.txt", "photograph.png", join("test", "good", "000.png")],
    ]);
    const again = await ddad("evaluate", "--checkpoint", whole, "--out", out);
    expect(again.code, again.errors).to.equal(0);
    expect(existsSync(image)).to.equal(true);
    expect(existsSync(join(out, "results.json"))).to.equal(true);

    const photograph = readFileSync(join(root, "test", "missing", "000.png"));
    const among = await ddad("evaluate", "--checkpoint", whole, "--out", root);
    expect(among.code).to.equal(2);
    expect(among.errors).to.match(
      /would replace the test image .*test.*\.png; choose another folder with --out\.$/m,
    );
    expect(readFileSync(join(root, "test", "missing", "000.png")).equals(photograph)).to.equal(true);
    expect(existsSync(join(root, "results.json"))).to.equal(false);
  });

  it("says where more good test images are called defective than the calibration allows for", async () => {
    const other = join(folder, "other");
    cpSync(join(root, "train"), join(other, "train"), { recursive: true });
    cpSync(join(root, "test", "missing"), join(other, "test", "missing"), { recursive: true });
    cpSync(join(root, "ground_truth", "missing"), join(other, "ground_truth", "missing"), {
      recursive: true,
    });
    const board = createImage(32, 32, 3);
    for (let k = 0; k < 12; k++) {
      board.data.forEach((_, i) => {
        const [x, y] = [Math.floor(i / 3) % 32, Math.floor(i / 96)];
        board.data[i] = ((x + k) >> 3) % 2 === (y >> 3) % 2 ? 255 : 0;
      });
      mkdirSync(join(other, "test", "good"), { recursive: true });
      writeImage(join(other, "test", "good", `${k}.png`), board);
    }
    // After four steps the network cannot take noise away yet: without noise, what it cannot reconstruct differs in pixels.
    const settings = ["guidance=2", "startNoise=false", "draws=1"];
    const sampling = settings.flatMap((setting) => ["--set", `sampling.${setting}`]);
    const { code, errors } = await ddad(
      ...["evaluate", "--checkpoint", whole, "--data", other, "--json"],
      ...sampling,
    );
    expect(code, errors).to.equal(0);
    expect(errors).to.match(
      /^12 of 12 good test images are called defective, but the calibration promises about 1 in 3: /m,
    );
    const usual = await ddad("evaluate", "--checkpoint", whole, "--json");
    expect(usual.errors).to.not.include("the calibration promises");
  });

  it("calibrates anew where sampling is set otherwise, and prints a table for people", async () => {
    const { code, output, errors } = await ddad(
      ...["evaluate", "--checkpoint", join(whole, "model.safetensors"), "--set", "sampling.guidance=3"],
    );
    expect(code, errors).to.equal(0);
    expect(errors).to.match(/calibrating on 2 held-out images: sampling.guidance 3 \(calibrated: 0\)/);
    expect(output).to.match(/^category +protocol +images +image AUROC/);
    expect(output).to.match(
      /threshold [\d.]+: [\d.]+ % \(\d of 2; 95 % interval [\d.]+ … [\d.]+\) of the good images are called defective/,
    );
    expect(output).to.not.match(/extrapolated|To promise/);
  });

  it("calibrates a model in its file, for the settings asked for", async () => {
    const out = join(folder, "calibrated");
    cpSync(whole, out, { recursive: true });
    const { code, output, errors } = await ddad(
      ...["calibrate", "--checkpoint", out, "--set", "sampling.guidance=1", "--json"],
    );
    expect(code, errors).to.equal(0);
    type Printed = { images: number; threshold: number; before: { images: number; threshold: number } };
    const calibrated = JSON.parse(output) as Printed;
    expect(calibrated).to.deep.include({
      ...{ images: 2, checkpoint: join(out, "model.safetensors"), extrapolated: false },
      falseAlarmRate: 1 / 3,
    });
    expect(errors).to.match(/^About 1 in 3 good parts will be stopped /m);
    const low = ["--set", "detection.falseAlarmRate=0.01"];
    const extrapolated = await ddad("calibrate", "--checkpoint", out, ...low, "--json");
    expect(JSON.parse(extrapolated.output)).to.include({ extrapolated: true });
    expect((JSON.parse(extrapolated.output) as Printed).before.threshold).to.equal(calibrated.threshold);
    expect(extrapolated.errors).to.match(/^2 good images cannot support a false-alarm rate below 1 in 3, /m);
    const evaluated = await ddad("evaluate", "--checkpoint", out, "--json");
    expect(evaluated.errors).to.not.match(/calibrating/);
    expect((JSON.parse(evaluated.output) as { threshold: number }).threshold).to.equal(
      (JSON.parse(extrapolated.output) as { threshold: number }).threshold,
    );
  });

  it("calibrates on all good images of a folder, keeps the calibration before, and not on fewer", async () => {
    const out = join(folder, "calibratedOnMore");
    cpSync(whole, out, { recursive: true });
    const file = join(out, "model.safetensors");
    const calibrations = async (): Promise<(string | undefined)[]> => {
      const { metadata } = await readCheckpoint(file);
      return [metadata["calibration"], metadata["calibrationBefore"]];
    };
    const [first] = await calibrations();
    const rate = ["--set", "detection.falseAlarmRate=0.25"];
    const good = ["--good", join(root, "test", "good")];
    const more = await ddad("calibrate", "--checkpoint", out, ...good, ...rate, "--json");
    expect(more.code, more.errors).to.equal(0);
    expect(JSON.parse(more.output)).to.deep.include({
      images: 2,
      leftOut: { trained: 0, named: 0, copies: 0 },
    });
    expect(more.errors).to.match(/2 of them are test images of the data set/);
    const [second, before] = await calibrations();
    expect(before).to.equal(first);
    expect(second).to.not.equal(first);
    const all = await ddad("calibrate", "--checkpoint", out, "--good", root, ...rate);
    expect(all.code, all.errors).to.equal(0);
    expect(all.errors).to.match(/images in .* are used \(left out: 6 were trained on\)/);
    expect(all.output)
      .to.match(/^before +2 +[\d.]+ +/m)
      .and.match(/^after +(?:[3-9]|1\d) +[\d.]+ +1 in 4\b/m);
    const fewer = await ddad("calibrate", "--checkpoint", out, ...good);
    expect(fewer.code).to.equal(2);
    expect(fewer.errors).to.match(/is calibrated on \d+ good images, but .*good gives 2: .* or pass --force/);
    const forced = await ddad("calibrate", "--checkpoint", out, ...good, "--force", "--json");
    expect(JSON.parse(forced.output)).to.include({ images: 2 });
    const [forcedNow, forcedBefore] = await calibrations();
    expect((await ddad("calibrate", "--checkpoint", out, ...good, "--json")).code).to.equal(0);
    expect(await calibrations(), "the same again").to.deep.equal([forcedNow, forcedBefore]);
    const restored = await ddad("calibrate", "--checkpoint", out, "--restore");
    expect(restored.code, restored.errors).to.equal(0);
    expect(restored.output).to.match(/^before +2 .*\nafter +(?:[3-9]|1\d) /m);
    expect(await calibrations()).to.deep.equal([forcedBefore, forcedNow]);
    const none = await ddad("calibrate", "--checkpoint", whole, "--restore");
    expect(none.code).to.equal(2);
    expect(none.errors).to.match(/keeps no calibration from before; ddad calibrate makes a new one/);
  });
});
