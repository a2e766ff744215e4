/** `ddad run` and `ddad adapt` from end to end, on generated images and a network with random weights. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { evaluate, readSafetensors, resnet18, writeSafetensors } from "@ddad/nn";
import { expect } from "chai";
import type { EvaluationResult } from "../../ddad/src/report/results.ts";
import { writeProcedural } from "../../node/src/datasets/writeProcedural.ts";
import { ddad, smallSettings } from "./commandLine.ts";

describe("ddad run", function () {
  this.timeout(300_000);
  let folder: string;
  let root: string;
  let settings: string[];
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "ddad-run-"));
    root = join(folder, "data");
    for (const category of ["tile", "weave"] as const) {
      writeProcedural(root, { category, size: 32, train: 8, testGood: 2, testPerDefect: 1 });
    }
    using extractor = resnet18({ lastLayer: "layer3", seed: 4 });
    await evaluate(...extractor.namedState().values());
    const weights = join(folder, "resnet18.safetensors");
    writeFileSync(weights, writeSafetensors(await extractor.stateDict()));
    settings = [
      ...smallSettings,
      ...[
        "features.network=resnet18",
        "features.imageSize=32",
        `features.weights=${weights}`,
        "adaptation.steps=3",
        "adaptation.batchSize=4",
        "adaptation.checkEvery=1",
      ].flatMap((setting) => ["--set", setting]),
    ];
  });
  after(() => rmSync(folder, { recursive: true }));

  it("goes from images to a table of all categories, one model file each, and resumes where it stopped", async () => {
    const out = join(folder, "runs");
    const tile = join(out, "tile");
    const begun = await ddad(
      ...["train", "--data", root, "--set", "data.category=tile", ...settings, "--out", tile],
      ...["--stop-after", "2"],
    );
    expect(begun.code, begun.errors).to.equal(0);
    const { code, output, errors } = await ddad("run", "--data", root, ...settings, "--out", out, "--json");
    expect(code, errors).to.equal(0);
    const { results } = JSON.parse(output) as { results: EvaluationResult[] };
    expect(results.map(({ category }) => category)).to.deep.equal(["tile", "weave"]);
    expect(results[0]!.protocolBlock.normaliser).to.equal("constants calibrated on held-out good images");
    expect(errors).to.match(/adapting resnet18 to \d+ images/);
    const first = join(out, "weave", "first-look");
    expect(errors).to.match(
      /^first look, by the nearest good image and without training: image AUROC [\d.]+, pixel AUROC [\d.]+, AUPRO [\d.]+\. ddad predict IMAGES --checkpoint .*weave.first-look inspects by it meanwhile\.$/m,
    );
    const looked = readSafetensors(readFileSync(join(first, "model.safetensors")));
    expect(looked.get("goodImages")!.shape.slice(1)).to.deep.equal([32, 32, 3]);
    expect(JSON.parse(looked.metadata["config"]!)).to.include({ method: "nearest" });
    const { network, adaptedSteps } = results[0]!.protocolBlock.features;
    expect(network).to.equal("resnet18");
    expect(readFileSync(join(out, "summary.csv"), "utf8").split("\r\n")).to.have.lengthOf(4);
    expect(readFileSync(join(out, "summary.md"), "utf8")).to.match(/\| mean +\|/);
    expect(JSON.parse(readFileSync(join(out, "summary.json"), "utf8"))).to.deep.equal({ results });

    const model = readSafetensors(readFileSync(join(out, "weave", "model.safetensors")));
    expect(model.has("extractor.layer3.0.conv1.weight")).to.equal(true);
    expect(JSON.parse(model.metadata["calibration"]!).scales).to.have.keys(
      "pixel",
      "layer1",
      "layer2",
      "layer3",
    );
    const adapted = readSafetensors(readFileSync(join(tile, "model.safetensors")));
    expect(adapted.metadata["adaptedSteps"]).to.equal(String(adaptedSteps));

    // What memory it may take is no setting that a run must keep.
    const again = await ddad("run", "--data", root, ...settings, "--out", out, "--json", "--memory", "1GB");
    expect(again.errors.match(/done already/g)).to.have.lengthOf(2);
    expect(JSON.parse(again.output)).to.deep.equal({ results });
    const other = await ddad("run", "--data", root, ...settings, "--set", "training.seed=1", "--out", out);
    expect(other.code).to.equal(2);
    expect(other.errors).to.match(
      /tile holds a run with other settings: training\.seed 1 \(there: 42\)\. Run it/,
    );

    // A damaged file stops its own category alone.
    writeFileSync(join(tile, "evaluation", "results.json"), "{");
    const damaged = await ddad("run", "--data", root, ...settings, "--out", out);
    expect(damaged.code).to.equal(2);
    expect(damaged.errors).to.match(/tile: .+results\.json is damaged \(it is not JSON\); remove it/);
    expect(damaged.errors).to.match(/evaluation.results\.json is not in the summary: it is not JSON/);
    expect(JSON.parse(readFileSync(join(out, "summary.json"), "utf8"))).to.deep.equal({
      results: [results[1]],
    });
    rmSync(join(tile, "evaluation", "results.json"));
    writeFileSync(join(tile, "stages.json"), '{"trained": 1}');
    const unclear = await ddad("run", "--data", root, ...settings, "--out", out);
    expect(unclear.errors).to.match(
      /tile: .+stages\.json is damaged, so nothing says what of the run is done/,
    );
  });

  it("uses other weights of the extractor where a model is completed with them, and refuses them elsewhere", async () => {
    using extractor = resnet18({ lastLayer: "layer3", seed: 5 });
    await evaluate(...extractor.namedState().values());
    const state = await extractor.stateDict();
    const others = join(folder, "others.safetensors");
    writeFileSync(others, writeSafetensors(state));
    const given = ["--set", `features.weights=${others}`];
    const tile = join(folder, "runs", "tile");
    for (const command of ["evaluate", "calibrate"]) {
      const { code, errors } = await ddad(command, "--checkpoint", tile, ...given);
      expect(code).to.equal(2);
      expect(errors).to.match(
        /features\.weights is .*others\.safetensors, but .* holds the weights of its resnet18 and reads no others: leave it out, or train/,
      );
    }
    const completed = await ddad("train", "--resume", "--out", tile, ...given);
    expect(completed.code, completed.errors).to.equal(0);
    const model = readSafetensors(readFileSync(join(tile, "model.safetensors")));
    const name = "layer3.0.conv1.weight";
    expect(model.get(`extractor.${name}`)!.data).to.deep.equal(state.get(name)!.data);
    expect(model.metadata).to.not.have.property("adaptedSteps");
    // Not adapted, it begins with the weights that the model holds.
    const first = settings.find((setting) => setting.startsWith("features.weights="))!;
    const adapted = await ddad("adapt", "--checkpoint", tile, "--set", first);
    expect(adapted.code).to.equal(2);
    expect(adapted.errors).to.match(/holds the weights of its resnet18 and reads no others/);
  });

  it("fills a bank of patches instead where the method is patchcore", async () => {
    const out = join(folder, "patchcore");
    const method = ["--method", "patchcore", "--set", "patchcore.fraction=0.5", "--categories", "tile"];
    const { code, output, errors } = await ddad(
      ...["run", "--data", root, ...settings, ...method, "--out", out, "--json"],
    );
    expect(code, errors).to.equal(0);
    const { results } = JSON.parse(output) as { results: EvaluationResult[] };
    expect(results[0]!.protocolBlock).to.include({ method: "patchcore", normaliser: "none" });
    expect(results[0]!.image.auroc).to.be.within(0, 1);
    const model = readSafetensors(readFileSync(join(out, "tile", "model.safetensors")));
    expect(model.get("bank")!.shape[0]).to.be.greaterThan(1);
    const calibration = JSON.parse(model.metadata["calibration"]!) as object;
    expect(calibration).to.not.have.property("scales");
    const predicted = await ddad(
      ...["predict", join(root, "tile", "test"), "--json"],
      ...["--checkpoint", join(out, "tile"), "--out", join(folder, "predictions-patchcore")],
    );
    expect(predicted.code, predicted.errors).to.equal(0);
    // Its score is not the largest value of the map; verdict and regions agree all the same.
    const { images } = JSON.parse(predicted.output) as { images: { decision: string; regions: object[] }[] };
    expect(images.length).to.be.above(2);
    for (const { decision, regions } of images) expect(regions.length > 0).to.equal(decision === "defective");
    const exported = await ddad(
      "export",
      "--checkpoint",
      join(out, "tile"),
      "--out",
      join(folder, "bank.safetensors"),
    );
    expect(exported.code).to.equal(2);
    expect(exported.errors).to.match(/is of method patchcore, which has no network of its own/);
    const pixels = await ddad(
      ...["train", "--data", root, "--set", "data.category=tile", ...smallSettings],
      ...["--set", "method=patchcore", "--out", join(folder, "none")],
    );
    expect(pixels.code).to.equal(2);
    expect(pixels.errors).to.match(/method patchcore compares features: name a network/);
    const adapted = await ddad("adapt", "--checkpoint", join(out, "tile"));
    expect(adapted.errors).to.match(/Method patchcore adapts no network/);
  });

  it("predicts with the one model file alone", async () => {
    const weights = settings.find((setting) => setting.startsWith("features.weights="))!.split("=")[1]!;
    rmSync(weights);
    const predicted = await ddad(
      ...["predict", join(root, "weave", "test", "good"), "--json"],
      ...["--checkpoint", join(folder, "runs", "weave"), "--out", join(folder, "predictions")],
    );
    expect(predicted.code, predicted.errors).to.equal(0);
    expect((JSON.parse(predicted.output) as { images: object[] }).images).to.have.lengthOf(2);
    const adapted = await ddad("adapt", "--checkpoint", join(folder, "runs", "weave"));
    expect(adapted.code).to.equal(2);
    expect(adapted.errors).to.match(/features\.weights is .*resnet18\.safetensors, which does not exist/);
    const given = ["--set", `features.weights=${join(folder, "others.safetensors")}`];
    const again = await ddad("adapt", "--checkpoint", join(folder, "runs", "weave"), ...given);
    expect(again.code, again.errors).to.equal(0);
  });

  it("trains only some categories, and pixels alone have nothing to adapt", async () => {
    const out = join(folder, "plain");
    const one = ["--categories", "weave", "--out", out, "--json"];
    const { code, output, errors } = await ddad("run", "--data", root, ...smallSettings, ...one);
    expect(code, errors).to.equal(0);
    expect((JSON.parse(output) as { results: object[] }).results).to.have.lengthOf(1);
    expect(errors).to.not.match(/adapting/);
    expect(existsSync(join(out, "summary.md"))).to.equal(true);
    const next = await ddad(
      ...["run", "--data", root, ...smallSettings, "--categories", "tile", "--out", out, "--json"],
    );
    expect(next.code, next.errors).to.equal(0);
    const summary = JSON.parse(readFileSync(join(out, "summary.json"), "utf8")) as { results: object[] };
    expect(summary.results, "of both commands").to.have.lengthOf(2);
    const broken = await ddad(
      ...["run", "--data", root, ...smallSettings, "--categories", "weave,felt", "--out", out, "--json"],
    );
    expect(broken.code).to.equal(2);
    expect(broken.errors)
      .to.match(/1 of 2 categories failed/)
      .and.to.match(/felt: .*has no category "felt"/);
    expect(broken.errors).to.match(/done already/);

    const rate = ["--set", "detection.falseAlarmRate=0.9"];
    const calibrated = await ddad("calibrate", "--checkpoint", join(out, "weave"), ...rate, "--json");
    expect(calibrated.code, calibrated.errors).to.equal(0);
    // The model decides by its own rate, where none is asked for.
    const again = await ddad("run", "--data", root, ...smallSettings, ...one);
    expect(again.code, again.errors).to.equal(0);
    expect(again.errors)
      .to.match(/results\.json was made with another false-alarm rate; evaluating again/)
      .and.not.match(/done already|training on/);
    const [result] = (JSON.parse(again.output) as { results: EvaluationResult[] }).results;
    expect(result!.threshold).to.equal((JSON.parse(calibrated.output) as { threshold: number }).threshold);
    const done = await ddad("run", "--data", root, ...smallSettings, ...one);
    expect(done.errors).to.match(/done already/);
    const more = await ddad(
      ...["train", "--data", root, ...smallSettings, "--set", "data.category=tile", "--resume"],
      ...["--set", "training.steps=5", "--out", join(out, "tile")],
    );
    expect(more.code, more.errors).to.equal(0);
    expect(existsSync(join(out, "tile", "evaluation", "results.json")), "of the model before").to.equal(
      false,
    );
    const adapted = await ddad("adapt", "--checkpoint", join(out, "weave"));
    expect(adapted.errors).to.match(/There is no network to adapt: features\.network is none/);
  });

  it("ends well where there are good images alone, says what is next, and is complete then", async () => {
    const good = join(folder, "good parts");
    cpSync(join(root, "tile", "train", "good"), good, { recursive: true });
    const out = join(folder, "good only");
    const args = ["run", "--data", good, ...smallSettings, "--out", out];
    const first = await ddad(...args);
    expect(first.code, first.errors).to.equal(0);
    expect(first.errors).to.match(
      /^There are no test images, so nothing can be evaluated\. The run ends with/m,
    );
    expect(first.errors).to.match(/^step 1\/4 · loss [\d.]+ · [\d.]+ images\/s$/m);
    expect(first.output).to.equal(
      `The run is complete: ${join(out, "model.safetensors")}\n` +
        "There are no test images, so nothing can be evaluated. To inspect images:\n" +
        `  ddad predict FOLDER --checkpoint '${out}'\n`,
    );
    expect(existsSync(join(out, "summary.json"))).to.equal(false);
    const model = readFileSync(join(out, "model.safetensors"));
    const again = await ddad(...args, "--json");
    expect(again.code, again.errors).to.equal(0);
    expect(again.errors).to.not.match(/training/);
    expect((JSON.parse(again.output) as { notEvaluated: object[] }).notEvaluated).to.have.lengthOf(1);
    const replaced = await ddad(...args, "--set", "training.seed=1", "--overwrite", "--json");
    expect(replaced.code, replaced.errors).to.equal(0);
    expect(readFileSync(join(out, "model.safetensors")).equals(model)).to.equal(false);
    const complete = await ddad("train", "--resume", "--out", out);
    expect(complete.output).to.match(/^The run is complete: all 4 steps are done, the model is /);
    expect(complete.errors, "reads no image").to.equal("");
  });
});
