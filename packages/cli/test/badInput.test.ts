/** What people get wrong: one clear sentence each, an exit code, nothing half-written. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSafetensors } from "@ddad/nn";
import { expect } from "chai";
import { writeProcedural } from "../../node/src/datasets/writeProcedural.ts";
import { ddad, smallSettings } from "./commandLine.ts";

describe("ddad, given something wrong", () => {
  let folder: string;
  let root: string;
  let model: string;
  const path = (...parts: string[]) => join(folder, ...parts);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "ddad-bad-"));
    root = writeProcedural(folder, { category: "weave", size: 32, train: 7, testGood: 1, testPerDefect: 1 });
    const { code, errors } = await ddad("train", "--data", root, ...smallSettings, "--out", path("run"));
    if (code !== 0) throw new Error(errors);
    model = path("run", "model.safetensors");
    mkdirSync(path("empty"));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Runs a command that must fail with this one line, or these, and leave no folder behind. */
  async function refuses(lines: RegExp | readonly RegExp[], ...args: string[]): Promise<void> {
    const out = path("out");
    const { code, output, errors } = await ddad(...args, "--out", out);
    expect(code, errors).to.equal(2);
    expect(output).to.equal("");
    const sentences = errors.split("\n").filter((line) => line.startsWith("error: "));
    const expected = [lines].flat();
    expect(sentences, errors).to.have.length(expected.length);
    for (const [i, line] of expected.entries()) expect(sentences[i]).to.match(line);
    expect(errors).to.not.match(/at .*\.ts:\d+/);
    expect(existsSync(out), "something was written").to.equal(false);
  }

  it("a missing folder", () =>
    refuses(
      /The data set .*nowhere does not exist .*; pass --data FOLDER\.$/,
      "train",
      "--data",
      path("nowhere"),
      ...smallSettings,
    ));

  it("an empty folder", () =>
    refuses(
      /empty is not a data set: it holds nothing\. The layouts nearest to it are folder \(good images/,
      "train",
      "--data",
      path("empty"),
    ));

  it("no data at all", () => refuses(/No data set given: pass --data FOLDER or --config FILE/, "train"));

  it("a corrupt image among the good ones", async () => {
    const broken = path("broken");
    mkdirSync(broken);
    for (const name of ["000", "001", "002", "003", "004", "005", "006"]) {
      writeFileSync(join(broken, `${name}.png`), readFileSync(join(root, "train/good", `${name}.png`)));
    }
    const bytes = readFileSync(join(broken, "002.png"));
    writeFileSync(join(broken, "002.png"), bytes.subarray(0, bytes.length / 2));
    await refuses(
      [/002\.png is damaged and cannot be decoded/, /Repair or remove .* with --skip-unreadable/],
      ...["train", "--data", broken, ...smallSettings],
    );
  });

  it("too few good images for a threshold", () =>
    refuses(
      /needs at least two held-out good images.* raise data.heldOut/,
      ...["train", "--data", root, ...smallSettings, "--set", "data.heldOut=0"],
    ));

  it("a setting that does not exist", () =>
    refuses(
      /training\.batch_size is no setting; did you mean training\.batchSize\?/,
      ...["train", "--data", root, "--set", "training.batch_size=4"],
    ));

  it("a setting of the wrong type", () =>
    refuses(
      /training\.steps must be a whole number, but is "many"\./,
      ...["train", "--data", root, "--set", "training.steps=many"],
    ));

  it("a configuration file that is no YAML", async () => {
    writeFileSync(path("bad.yaml"), "training: {steps: 3");
    await refuses(/bad\.yaml is not valid YAML, line 1/, "train", "--config", path("bad.yaml"));
  });

  it("a checkpoint that is cut off", async () => {
    const bytes = readFileSync(model);
    writeFileSync(path("cut.safetensors"), bytes.subarray(0, bytes.length - 1000));
    const args = ["--checkpoint", path("cut.safetensors")];
    await refuses(/cut\.safetensors: safetensors: .*/, "evaluate", ...args);
    await refuses(/cut\.safetensors: safetensors: .*/, "predict", join(root, "test"), ...args);
  });

  it("a file that is no checkpoint, or not one of ours", async () => {
    await refuses(
      /test\.png: the file is a PNG image, not weights\. Pass a model: the model\.safetensors that ddad train writes/,
      "evaluate",
      "--checkpoint",
      copyOf("test/good/000.png", "test.png"),
    );
    const foreign = writeSafetensors(
      new Map([["w", { shape: [1], dtype: "f32", data: Float32Array.of(1) }]]),
    );
    writeFileSync(path("foreign.safetensors"), foreign);
    await refuses(/was not written by ddad train/, "evaluate", "--checkpoint", path("foreign.safetensors"));
  });

  it("a model that does not exist, or none", async () => {
    await refuses(
      /The model .*none\.safetensors does not exist/,
      "evaluate",
      "--checkpoint",
      path("none.safetensors"),
    );
    await refuses(/empty holds neither model\.safetensors nor/, "evaluate", "--checkpoint", path("empty"));
    await refuses(/No model given: pass --checkpoint PATH/, "predict", root);
    await refuses(/There is no run in runs\/weave/, "evaluate", "--data", root);
  });

  it("another division of a model's images, naming what calibrates on more", async () => {
    const { code, errors } = await ddad("calibrate", "--checkpoint", model, "--set", "data.heldOut=0.6");
    expect(code, errors).to.equal(2);
    expect(errors).to.match(
      /data\.heldOut is 0\.3 and cannot become 0\.6: .* made with it; to calibrate .* run ddad calibrate --good FOLDER\.$/m,
    );
  });

  it("a network other than the model's", () =>
    refuses(
      /model\.baseChannels is 32 and cannot become 64: .*model\.safetensors was made with it/,
      ...["evaluate", "--checkpoint", model, "--set", "model.baseChannels=64"],
    ));

  it("nothing to inspect", async () => {
    await refuses(/empty holds no images/, "predict", path("empty"), "--checkpoint", model);
    await refuses(/nothing\.png does not exist/, "predict", path("nothing.png"), "--checkpoint", model);
    await refuses(/must be a number between 0 and 1/, "predict", root, "--false-alarm-rate", "2");
  });

  it("a test set without tests, or with one sort only", async () => {
    const goodOnly = join(root, "train/good");
    await refuses(/has no test images/, "evaluate", "--checkpoint", model, "--data", goodOnly);
    mkdirSync(path("sorted", "good"), { recursive: true });
    copyOf("test/good/000.png", "sorted/good/000.png");
    await refuses(
      /are all of one sort: there is no defective one/,
      ...["evaluate", "--checkpoint", model, "--set", `data.test=${path("sorted")}`],
    );
  });

  it("a run that is not there to resume, or is there already", async () => {
    await refuses(
      /There is nothing to resume: .*checkpoint\.safetensors does not exist/,
      "train",
      "--resume",
    );
    const again = await ddad("train", "--data", root, ...smallSettings, "--out", path("run"));
    expect(again.code).to.equal(2);
    expect(again.errors).to.match(
      /already holds a run; resume it with --resume, replace it with --overwrite/,
    );
    const changed = await ddad(
      ...[
        "train",
        "--resume",
        "--out",
        path("run"),
        "--set",
        "training.learningRate=1",
        "--set",
        "training.steps=9",
      ],
    );
    expect(changed.code).to.equal(2);
    expect(changed.errors).to.match(
      /^error: training\.learningRate is 0\.0003 and cannot become 1: a resumed run keeps it; start another/m,
    );
    expect(changed.errors).to.not.match(/training\.steps/);
  });

  it("a state of training whose arrays do not fit", async () => {
    const bytes = readFileSync(path("run", "checkpoint.safetensors"));
    mkdirSync(path("misfit"));
    const text = bytes.toString("latin1").replace(/\\"baseChannels\\":32/, '\\"baseChannels\\":64');
    writeFileSync(path("misfit", "checkpoint.safetensors"), Buffer.from(text, "latin1"));
    const { code, errors } = await ddad("train", "--resume", "--out", path("misfit"));
    expect(code).to.equal(2);
    expect(errors).to.match(/error: The state dict does not fit the module/);
    expect(existsSync(path("misfit", "model.safetensors"))).to.equal(false);
  });

  function copyOf(source: string, target: string): string {
    writeFileSync(path(target), readFileSync(join(root, source)));
    return path(target);
  }
});
