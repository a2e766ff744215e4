/** The command line from end to end: train, stop, resume, predict, doctor; evaluation and calibration are in evaluateCommand.test.ts. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type Config,
  decodeModel,
  decodeTrainingState,
  encodeModel,
  encodeTrainingState,
} from "@ddad/ddad/internal";
import { readCheckpoint, readSafetensors } from "@ddad/nn";
import { expect } from "chai";
import { createImage } from "../../ddad/src/images/image.ts";
import type { DefectRegion } from "../../ddad/src/report/defectRegions.ts";
import { writeProcedural } from "../../node/src/datasets/writeProcedural.ts";
import { decodePng, writeImage } from "../../node/src/images/png.ts";
import { ddad, filesIn, smallSettings } from "./commandLine.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

describe("ddad", () => {
  let folder: string;
  let root: string;
  let whole: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "ddad-cli-"));
    root = writeProcedural(folder, { category: "tile", size: 32, train: 8, testGood: 2, testPerDefect: 1 });
    whole = join(folder, "whole");
  });
  after(() => rmSync(folder, { recursive: true }));

  const train = (out: string, ...more: string[]) =>
    ddad("train", "--data", root, ...smallSettings, "--out", out, "--json", ...more);

  it("trains: the result as JSON, the rest on standard error", async () => {
    const { code, output, errors } = await train(whole);
    expect(code, errors).to.equal(0);
    const result = JSON.parse(output) as Record<string, unknown>;
    const keys = ["steps", "loss", "imagesPerSecond", "checkpoint", "validationLoss"];
    expect(Object.keys(result)).to.deep.equal(keys);
    expect(result["validationLoss"]).to.have.keys("mean", "buckets");
    expect(result).to.include({ steps: 4, checkpoint: join(whole, "model.safetensors") });
    expect(result["loss"]).to.be.within(0, 10);
    expect(errors).to.match(/training on 6 images \(2 held out\)/);
    expect(errors).to.match(
      /^planned device memory for 2 images at a time: [\d.]+ MB \(parameters .*\); the driver and compiled/m,
    );
    expect(errors).to.match(
      /^About 1 in 3 good parts will be stopped \(at most 78 %, .*\. To promise 1 in 100, calibrate with at least 99 /m,
    );
    expect(
      errors.match(/^step \d: validation loss [\d.]+ \(low noise: [\d.]+, high noise: [\d.]+\)$/gm),
    ).to.have.length(2);
    expect(errors).to.match(
      /step 4\/4 · loss [\d.]+ · [\d.]+ images\/s · validation [\d.]+ · [\d.]+ steps\/s · took/,
    );
    expect(filesIn(whole).sort()).to.deep.equal([
      "checkpoint.safetensors",
      "config.yaml",
      "model.safetensors",
      "split.json",
    ]);
  });

  it("trains within an amount of memory, or says what it would need", async () => {
    const out = join(folder, "budget");
    const small = await train(out, "--memory", "1MB");
    expect(small.code).to.equal(2);
    expect(small.errors).to.match(
      /^error: training\.memory is 1MB, but 1 image at a time, .*: allow [\d.]+ MB by/m,
    );
    const none = await train(out, "--memory", "much");
    expect(none.code).to.equal(2);
    expect(none.errors).to.match(
      /^error: training\.memory must be an amount with its unit, .*, but is "much"\.$/m,
    );
    const begun = await train(out, "--memory", "1GB", "--stop-after", "1", "--overwrite");
    expect(begun.code, begun.errors).to.equal(0);
    const resumed = await ddad("train", "--resume", "--out", out, "--memory", "900MB", "--json");
    expect(resumed.code, resumed.errors).to.equal(0);
    expect(resumed.errors).to.match(/^planned device memory for 2 images at a time/m);
  });

  it("writes checkpoints that say what made them", () => {
    const { metadata } = readSafetensors(readFileSync(join(whole, "model.safetensors")));
    expect(metadata).to.include({ format: "ddad", kind: "model", protocol: "strict" });
    expect(JSON.parse(metadata["config"]!).data).to.include({ root, imageSize: 16 });
    expect(JSON.parse(metadata["preprocessing"]!)).to.include({ size: 16, channels: 3 });
    expect(JSON.parse(metadata["calibration"]!).scores).to.have.length(2);
    const state = readSafetensors(readFileSync(join(whole, "checkpoint.safetensors")));
    expect(state.metadata).to.include({ kind: "training", step: "4" });
    const parts = new Set([...state.keys()].map((name) => name.split(".")[0]));
    expect([...parts]).to.deep.equal(["model", "ema", "optimizer"]);
  });

  it("resumes to the very files of an uninterrupted run", async () => {
    const out = join(folder, "f16");
    const first = await train(out, "--stop-after", "3");
    expect(first.code, first.errors).to.equal(0);
    expect(JSON.parse(first.output)).to.include({ steps: 3 });
    const second = await ddad("train", "--resume", "--out", out, "--json");
    expect(second.code, second.errors).to.equal(0);
    for (const file of ["model.safetensors", "checkpoint.safetensors"]) {
      expect(readFileSync(join(out, file)).equals(readFileSync(join(whole, file))), file).to.equal(true);
    }
  });

  it("keeps the data set as an absolute path, however it is given, and resumes where an old run has a relative one", async () => {
    const origin = process.cwd();
    const out = join(folder, "relative");
    process.chdir(dirname(root));
    try {
      const given = ["--set", `data.root=${basename(root)}`, ...smallSettings, "--out", out];
      const first = await ddad("train", ...given, "--json");
      expect(first.code, first.errors).to.equal(0);
      const file = join(out, "config.yaml");
      const stored = readFileSync(file, "utf8");
      expect(stored).to.match(new RegExp(`root: ${resolve(basename(root))}$`, "m"));
      // As version 0.1 stored it.
      const relative = (config: Config): Config => ({
        ...config,
        data: { ...config.data, root: basename(root) },
      });
      const [model, checkpoint] = [join(out, "model.safetensors"), join(out, "checkpoint.safetensors")];
      const old = decodeModel(await readCheckpoint(model));
      writeFileSync(model, encodeModel({ ...old, config: relative(old.config) }));
      const state = decodeTrainingState(await readCheckpoint(checkpoint));
      writeFileSync(checkpoint, encodeTrainingState({ ...state, config: relative(state.config) }));
      for (const again of [[], ["--data", basename(root)], ["--config", file]]) {
        const resumed = await ddad("train", "--resume", "--out", out, ...again);
        expect(resumed.code, resumed.errors).to.equal(0);
        expect(resumed.output, resumed.errors).to.match(/^The run is complete/);
        expect(resumed.errors).to.not.match(/calibrated on/);
      }
    } finally {
      process.chdir(origin);
    }
  });

  it("resumes with other settings of the detection, which the model then has and is calibrated for", async () => {
    const out = join(folder, "f16");
    const guidance = ["--set", "sampling.guidance=3"];
    const { code, output, errors } = await ddad("train", "--resume", "--out", out, ...guidance);
    expect(code, errors).to.equal(0);
    expect(output).to.match(/^The run is complete: all 4 steps are done, the model is /);
    const { metadata } = readSafetensors(readFileSync(join(out, "model.safetensors")));
    expect(JSON.parse(metadata["config"]!).sampling.guidance).to.equal(3);
    expect(JSON.parse(metadata["calibration"]!).sampling.guidance).to.equal(3);
  });

  it("saves what is done and exits with 130 on Ctrl-C", async () => {
    const out = join(folder, "interrupted");
    const settings = [...smallSettings, "--set", "training.steps=100000", "--set", "training.logEvery=1"];
    let signalled = false;
    const args = ["--conditions=@ddad/source", "--import", "tsx", main, "train", "--data", root, ...settings];
    const child = spawn(process.execPath, [...args, "--out", out, "--json"], { stdio: "pipe" });
    let errors = "";
    let output = "";
    child.stdout.on("data", (text) => {
      output += String(text);
    });
    child.stderr.on("data", (text) => {
      errors += String(text);
      if (signalled || !/^step \d+\/100000/m.test(errors)) return;
      signalled = true;
      child.kill("SIGINT");
    });
    const code = await new Promise((settle) => child.on("close", settle));
    expect(code, errors).to.equal(130);
    const { steps } = JSON.parse(output) as { steps: number };
    const { metadata } = readSafetensors(readFileSync(join(out, "checkpoint.safetensors")));
    expect(steps).to.be.at.least(1);
    expect(metadata["step"]).to.equal(String(steps));
    expect(filesIn(out).filter((file) => file.endsWith(".partial"))).to.deep.equal([]);
  });

  it("predicts for a folder and for an image of another size, with the same scores", async () => {
    const out = join(folder, "predictions");
    const all = await ddad("predict", join(root, "test"), "--checkpoint", whole, "--out", out, "--json");
    expect(all.code, all.errors).to.equal(0);
    const result = JSON.parse(all.output) as {
      threshold: number;
      pixelThreshold: number;
      images: Record<string, unknown>[];
    };
    expect(result.images).to.have.length(6);
    for (const { score, decision, overlay, map, regions } of result.images) {
      const file = readFileSync(join(out, map as string));
      const values = new Float32Array(new Uint8Array(file).slice(-4 * 16 * 16).buffer);
      expect(Math.max(...values)).to.equal(score);
      for (const { box } of regions as DefectRegion[]) {
        expect(box.x + box.width).to.be.at.most(32); // the images' own size
      }
      expect(decision).to.equal((score as number) >= result.threshold ? "defective" : "good");
      expect((regions as DefectRegion[]).length > 0).to.equal(decision === "defective");
      const drawn = decodePng(readFileSync(join(out, overlay as string)));
      expect(drawn).to.include({ width: 512, channels: 3 }); // a small image is enlarged
      expect(drawn.height).to.be.above(512); // by the bar below
    }
    expect(JSON.parse(readFileSync(join(out, "predictions.json"), "utf8"))).to.deep.equal(result);
    const one = await ddad(
      ...[
        "predict",
        String(result.images[3]!["file"]),
        "--checkpoint",
        whole,
        "--out",
        join(folder, "one"),
        "--json",
      ],
    );
    expect((JSON.parse(one.output) as typeof result).images[0]!["score"]).to.equal(
      result.images[3]!["score"],
    );
    const wide = join(folder, "wide.png");
    writeImage(wide, createImage(50, 20, 1, [90, 90, 90]));
    const again = ["--out", join(folder, "one")];
    const mixed = await ddad("predict", wide, "--checkpoint", whole, ...again);
    expect(mixed.code).to.equal(2);
    expect(mixed.errors).to.match(/one is not empty, and results are not mixed .* --overwrite/);
    const other = await ddad("predict", wide, "--checkpoint", whole, ...again, "--overwrite");
    expect(other.code, other.errors).to.equal(0);
    expect(other.output).to.match(/wide\.png +[\d.]+ +(good|defective)/);
  });

  it("runs the paper's protocol, whose threshold comes from the test set", async () => {
    const out = join(folder, "paper");
    const settings = [
      ...smallSettings,
      "--set",
      "protocol=paper",
      "--set",
      "data.heldOut=0",
      "--set",
      "detection.blurSigma=1",
      "--set",
      "features.network=none",
    ];
    const trained = await ddad("train", "--data", root, ...settings, "--out", out, "--json");
    expect(trained.code, trained.errors).to.equal(0);
    const images = join(out, "images");
    const crop = ["--set", "detection.crop=12"];
    const evaluated = await ddad("evaluate", "--checkpoint", out, "--out", images, ...crop, "--json");
    expect(evaluated.code, evaluated.errors).to.equal(0);
    const result = JSON.parse(evaluated.output) as { protocol: string; protocolBlock: { masks: string } };
    expect(result.protocol).to.equal("paper");
    expect(result.protocolBlock.masks).to.equal("bilinear, above 0; PRO's regions 1");
    expect(existsSync(join(images, "overview.png"))).to.equal(true);
    const predicted = await ddad(
      "predict",
      join(root, "test"),
      "--checkpoint",
      out,
      "--out",
      join(out, "found"),
      "--json",
    );
    expect(predicted.errors).to.match(
      /not calibrated: scores only, no decisions\. The paper's protocol has no threshold but/,
    );
    expect(JSON.parse(predicted.output)).to.include({ threshold: null });
  });

  it("shows the adapter and tests it", async () => {
    const { code, output } = await ddad("doctor", "--json");
    expect(code).to.equal(0);
    const result = JSON.parse(output) as {
      adapter: string;
      adapters: { name: string }[];
      used: number;
      versions: object;
      selfTest: { largestError: number };
    };
    expect(result).to.include({ ok: true });
    expect(result.adapters[result.used]).to.include({ index: result.used, name: result.adapter });
    expect(Object.keys(result.versions)).to.deep.equal(["ddad", "node", "webgpu", "system"]);
    expect(result.selfTest.largestError).to.be.within(0, 1e-5);
    expect((await ddad("doctor")).output).to.match(/self-test +matrix product right: largest error/);
  });

  it("lists its commands without loading them, and refuses what it does not know", async () => {
    const help = await ddad("--help");
    expect(help.code).to.equal(0);
    for (const command of ["train", "evaluate", "predict", "calibrate", "doctor", "demo"]) {
      expect(help.output).to.contain(`  ${command}`);
    }
    const unknown = await ddad("train", "--resum");
    expect(unknown.code).to.equal(2);
    expect(unknown.errors).to.match(/unknown option '--resum'[\s\S]*Did you mean --resume/);
    expect((await ddad("trian")).code).to.equal(2);
    expect((await ddad("train", "--stop-after", "0")).errors).to.match(/whole number of at least 1/);
    expect(existsSync(resolve("runs/tile"))).to.equal(false);
  });
});
