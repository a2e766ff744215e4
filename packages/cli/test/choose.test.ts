/** `ddad calibrate --choose`: settings chosen on synthetic defects, kept in the model and said in its results. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeModel } from "@ddad/ddad/internal";
import { readCheckpoint } from "@ddad/nn";
import { expect } from "chai";
import { writeProcedural } from "../../node/src/datasets/writeProcedural.ts";
import { ddad, smallSettings } from "./commandLine.ts";

type Printed = {
  chosen: { seed: number; images: number; defects: number; rows: { aupro30: number }[] };
  present: { sampling: { start: number } };
};

describe("ddad calibrate --choose", () => {
  let folder: string;
  let root: string;
  let out: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "ddad-choose-"));
    root = writeProcedural(folder, { category: "tile", size: 32, train: 10, testGood: 2, testPerDefect: 1 });
    out = join(folder, "run");
    const held = ["--set", "data.heldOut=0.4"];
    const trained = await ddad("train", "--data", root, ...smallSettings, ...held, "--out", out);
    expect(trained.code, trained.errors).to.equal(0);
  });
  after(() => rmSync(folder, { recursive: true }));

  const model = async () => decodeModel(await readCheckpoint(join(out, "model.safetensors")));

  it("prints what was tried, and the model has the best of it from then on", async () => {
    const before = (await model()).config;
    const { code, output, errors } = await ddad("calibrate", "--checkpoint", out, "--choose", "--json");
    expect(code, errors).to.equal(0);
    expect(errors).to.match(
      /^tried \d+ settings on 12 synthetic defects, laid on 4 held-out good images, in /m,
    );
    const { chosen, present } = JSON.parse(output) as Printed;
    expect(chosen).to.include({ seed: before.data.splitSeed, images: 4, defects: 12 });
    expect(present.sampling).to.deep.equal(before.sampling);
    const { config, calibration } = await model();
    expect(calibration!.chosen).to.deep.equal(chosen);
    expect(config.sampling).to.deep.equal(calibration!.chosen!.rows[0]!.sampling);
    const evaluated = await ddad("evaluate", "--checkpoint", out, "--json");
    expect(evaluated.code, evaluated.errors).to.equal(0);
    expect(evaluated.errors).to.not.match(/calibrating/);
    const { protocolBlock } = JSON.parse(evaluated.output) as { protocolBlock: Record<string, unknown> };
    expect(protocolBlock["settings"]).to.equal("chosen on synthetic defects");
    const table = await ddad("calibrate", "--checkpoint", out, "--choose");
    expect(table.output)
      .to.match(/^ +start +steps +guidance +noise +draws +distance +layers .* AUPRO /m)
      .and.match(/^taken/m)
      .and.match(/^Percent, on 12 synthetic defects laid on 4 held-out good images; no test image/m);
  });

  it("keeps the mark as long as the settings are these", async () => {
    const again = await ddad("calibrate", "--checkpoint", out, "--set", "detection.falseAlarmRate=0.3");
    expect(again.code, again.errors).to.equal(0);
    expect((await model()).calibration!.chosen).to.include({ on: "synthetic defects" });
    const other = await ddad("calibrate", "--checkpoint", out, "--set", "sampling.seed=9");
    expect(other.code, other.errors).to.equal(0);
    expect((await model()).calibration).to.not.have.property("chosen");
  });

  it("does not choose on test images, or together with --restore", async () => {
    const test = ["--good", join(root, "test", "good"), "--force"];
    const refused = await ddad("calibrate", "--checkpoint", out, "--choose", ...test);
    expect(refused.code).to.equal(2);
    expect(refused.errors).to.match(/2 of the images in .* are test images .*must not be chosen on those/);
    const restored = await ddad("calibrate", "--checkpoint", out, "--choose", "--restore");
    expect(restored.code).to.equal(2);
    expect(restored.errors).to.match(/--restore.* cannot be used with .*--choose/);
  });
});
