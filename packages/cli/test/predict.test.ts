/** `ddad predict` on what a factory gives it. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { decodeModel, encodeModel, type Model } from "@ddad/ddad/internal";
import { readCheckpoint } from "@ddad/nn";
import { expect } from "chai";
import { createImage } from "../../ddad/src/images/image.ts";
import { hashFile } from "../../node/src/datasets/hashFiles.ts";
import { writeProcedural } from "../../node/src/datasets/writeProcedural.ts";
import { writeImage } from "../../node/src/images/png.ts";
import { ddad, smallSettings } from "./commandLine.ts";

type Entry = {
  file: string;
  error?: string;
  score?: number;
  decision?: string;
  regions?: object[];
  unlike?: string;
};
type Result = {
  version: string;
  started: string;
  workingDirectory: string;
  checkpoint: string;
  checkpointSha256: string;
  threshold: number;
  falseAlarmRate: number | null;
  calibrationImages: number;
  folder: string;
  images: Entry[];
  counts: Record<string, number>;
};

describe("ddad predict", () => {
  let folder: string;
  let root: string;
  let origin: string;
  let model: Model;
  const path = (...parts: string[]) => join(folder, ...parts);
  const predict = (...args: string[]) =>
    ddad("predict", ...args, "--checkpoint", path("run", "model.safetensors"));
  const storeModel = (name: string, changed: Model): void => writeFileSync(path(name), encodeModel(changed));

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "ddad-predict-"));
    root = writeProcedural(folder, { category: "tile", size: 32, train: 16, testGood: 3, testPerDefect: 1 });
    const { code, errors } = await ddad(
      ...["train", "--data", root, ...smallSettings, "--set", "data.heldOut=0.4", "--out", path("run")],
    );
    if (code !== 0) throw new Error(errors);
    const file = path("run", "model.safetensors");
    model = decodeModel(await readCheckpoint(file), file);
  });
  beforeEach(() => {
    origin = process.cwd();
    process.chdir(mkdtempSync(path("work-")));
  });
  afterEach(() => process.chdir(origin));
  after(() => rmSync(folder, { recursive: true }));

  /** A folder `parts` with three good images, a gray card and four files that cannot be read. */
  function messy(): void {
    mkdirSync("parts/sub folder", { recursive: true });
    for (const name of ["000", "001", "002"]) {
      copyFileSync(join(root, "test/good", `${name}.png`), `parts/sub folder/${name}.png`);
    }
    writeImage("parts/card.png", createImage(40, 30, 1, [128, 128, 128]));
    const bytes = readFileSync("parts/sub folder/000.png");
    writeFileSync("parts/cut.png", bytes.subarray(0, bytes.length / 2));
    for (const name of ["empty.png", "phone.heic"]) writeFileSync(join("parts", name), "");
    writeFileSync("parts/text.jpg", "no image");
  }

  it("gives each image a row of its own, and exit code 3 where some could not be inspected", async () => {
    messy();
    const { code, output, errors } = await predict("parts", "--json", "--out", "json");
    expect(code, errors).to.equal(3);
    const result = JSON.parse(output) as Result;
    expect(Date.now() - Date.parse(result.started)).to.be.within(0, 600_000);
    expect(result.started).to.match(/Z$/);
    expect(resolve(result.workingDirectory, result.checkpoint)).to.equal(path("run", "model.safetensors"));
    expect(result.checkpointSha256).to.equal(hashFile(path("run", "model.safetensors")));
    expect(result).to.include({ version: "0.1.0", calibrationImages: model.calibration!.scores.length });
    expect(result.falseAlarmRate).to.be.closeTo(1 / (result.calibrationImages + 1), 1e-12);
    for (const { file } of result.images)
      expect(existsSync(resolve(result.workingDirectory, file))).to.equal(true);
    expect(JSON.parse(readFileSync("json/predictions.json", "utf8"))).to.deep.equal(result);
    const failed = result.images.filter(({ error }) => error !== undefined);
    expect(failed.map(({ file }) => file)).to.deep.equal(
      ["cut.png", "empty.png", "phone.heic", "text.jpg"].map((name) => join("parts", name)),
    );
    expect(failed[0]!.error).to.match(/cut\.png is damaged and cannot be decoded as PNG/);
    expect(failed[1]!.error).to.match(/empty\.png is empty/);
    expect(result.images.filter(({ score }) => typeof score === "number")).to.have.length(4);
    expect(result.images[0]).to.include({ decision: "unlike", unlike: "its contrast is far lower" });
    expect(result.images[0]!.regions).to.deep.equal([]);
    expect(result.counts).to.include({ unlike: 1, failed: 4, undecided: 0 });
    expect(existsSync("json/sub folder/000-overlay.png")).to.equal(true);
  });

  it("prints short rows as they come, and what they add up to", async () => {
    messy();
    const { code, output } = await predict("parts");
    expect(code).to.equal(3);
    const lines = output.split("\n");
    expect(lines[0]).to.match(/^image +score +decision +where$/);
    expect(output).to.match(/^card\.png +[\d.]+ +unlike +its contrast is far lower$/m);
    expect(output).to.match(/^empty\.png +error +is empty: it must be/m);
    expect(output).to.match(/^sub folder\/000\.png +[\d.]+ +(good|defective)/m);
    expect(output).to.match(/^\d of 8 images (is|are) defective\.$/m);
    expect(output).to.match(/^1 of 8 images is unlike the training images/m);
    expect(output).to.match(/^4 of 8 images could not be inspected\.$/m);
    expect(output).to.match(
      /^An image is defective if its score is at least [\d.]+\.\nAbout 1 in \d+ good parts/m,
    );
    expect(output).to.match(/^Overlays, maps and predictions\.json are in predictions\.$/m);
    expect(Math.max(...lines.map(({ length }) => length))).to.be.below(170);
  });

  it("aligns names by the columns that a terminal takes for them", async () => {
    const names = ["部品 🔩.png", "a.png"];
    for (const name of names) copyFileSync(join(root, "test/good/000.png"), name);
    const { output } = await predict(...names, "--no-maps");
    const [heading, first, second] = output.split("\n");
    const endOfScore = (line: string): number => /\d\.\d+/.exec(line)!.index;
    // Three signs of two columns, of which the emoji has two code units.
    expect(endOfScore(second!) - endOfScore(first!)).to.equal(2);
    expect(endOfScore(second!)).to.be.below(heading!.indexOf("score") + 5);
  });

  it("names a pattern that nothing matches, and proposes --overwrite only for a folder of results", async () => {
    const none = await predict("*.jpg");
    expect(none.code).to.equal(2);
    expect(none.errors).to.match(/No image matches \*\.jpg; images are PNG, JPEG/);
    mkdirSync("mine");
    writeFileSync("mine/note.txt", "");
    const mixed = await predict(join(root, "test/good/000.png"), "--out", "mine");
    expect(mixed.code).to.equal(2);
    expect(mixed.errors).to.match(/mine is not empty.*name another folder with --out\.$/m);
  });

  it("never inspects nor mixes its own results", async () => {
    copyFileSync(join(root, "test/good/000.png"), "a.png");
    const ids = async (): Promise<[string, string[]]> => {
      const { output, errors } = await predict(".", "--json");
      const { folder: out, images } = JSON.parse(output || errors) as Result;
      return [out, images.map(({ file }) => file)];
    };
    expect(await ids()).to.deep.equal(["predictions", ["a.png"]]);
    expect(await ids()).to.deep.equal(["predictions-2", ["a.png"]]);
    expect((await predict(".")).errors).to.match(
      /^Not inspected, because they hold results: predictions, predictions-2$/m,
    );
    const { output } = await predict("*.png", "a.png", "--overwrite");
    expect(output).to.match(/are in predictions\.$/m);
    expect(readdirSync("predictions").sort()).to.deep.equal([
      "a-map.npy",
      "a-overlay.png",
      "predictions.json",
    ]);
  });

  it("tells its results from images in one folder, and neither passes over nor replaces an image", async () => {
    messy();
    for (const name of ["cut.png", "empty.png", "phone.heic", "text.jpg"]) rmSync(join("parts", name));
    copyFileSync("parts/card.png", "parts/old-overlay.png");
    const before = new Map(
      readdirSync("parts", { recursive: true })
        .map((name) => join("parts", String(name)))
        .filter((name) => name.endsWith(".png"))
        .map((name) => [name, readFileSync(name)]),
    );
    for (const _ of [1, 2]) {
      const { code, output } = await predict("parts", "--out", "parts", "--overwrite", "--json");
      expect(code).to.equal(0);
      expect((JSON.parse(output) as Result).images.map(({ file }) => file)).to.have.members([
        ...before.keys(),
      ]);
    }
    const below = await predict(".", "--json");
    expect((JSON.parse(below.output) as Result).images).to.have.length(before.size);
    expect(below.errors).to.not.match(/Not inspected/);
    for (const [name, bytes] of before) expect(readFileSync(name).equals(bytes), name).to.equal(true);
  });

  it("takes a threshold, a false-alarm rate in percent, and writes no overlays and maps where none are wanted", async () => {
    const good = join(root, "test/good");
    const lean = ["--overlay-size", "0", "--no-maps"];
    const { output, code } = await predict(good, "--threshold", "1e-6", "--json", "--out", "low", ...lean);
    expect(code).to.equal(0);
    const low = JSON.parse(output) as Result;
    expect(low).to.include({ threshold: 1e-6, falseAlarmRate: null });
    for (const { decision, regions } of low.images) {
      expect(decision).to.equal("defective");
      expect(regions!.length).to.be.at.least(1);
    }
    expect(readdirSync("low")).to.deep.equal(["predictions.json"]);
    const high = JSON.parse((await predict(good, "--threshold", "1e6", "--json", ...lean)).output) as Result;
    for (const { decision, regions } of high.images) {
      expect(decision).to.equal("good");
      expect(regions).to.deep.equal([]);
    }
    const rate = async (text: string): Promise<number> =>
      (JSON.parse((await predict(good, "--false-alarm-rate", text, "--json", ...lean)).output) as Result)
        .threshold;
    expect(await rate("25%")).to.equal(await rate("0.25"));
    const small = await predict(good, "--false-alarm-rate", "0.01", ...lean);
    expect(small.errors).to.match(
      /below 1 in \d+, but --false-alarm-rate is 0\.01: .*, or set --false-alarm-rate=[\d.]+\.$/m,
    );
    const both = await predict(good, "--threshold", "1", "--false-alarm-rate", "0.1");
    expect(both.code).to.equal(2);
    expect(both.errors).to.match(/cannot be used with/);
  });

  it("calls no score that is NaN good, and says what to look at", async () => {
    const weights = new Map(
      [...model.weights].map(([name, entry]) => {
        const data = entry.data instanceof Float32Array ? entry.data.slice().fill(Number.NaN) : entry.data;
        return [name, { ...entry, data }];
      }),
    );
    storeModel("nan.safetensors", { ...model, weights } as Model);
    const { code, output, errors } = await ddad(
      ...["predict", join(root, "test/good"), "--checkpoint", path("nan.safetensors"), "--json"],
    );
    expect(code, errors).to.equal(3);
    const { images, counts } = JSON.parse(output) as Result;
    for (const { error } of images)
      expect(error).to.match(/The score is NaN: the weights of the model are damaged/);
    expect(counts).to.include({ good: 0, failed: 3 });
  });

  it("gives scores only where the model is not calibrated, and decides by a threshold that is given", async () => {
    const { calibration: _, ...bare } = model;
    storeModel("bare.safetensors", bare);
    const run = (...more: string[]) =>
      ddad("predict", join(root, "test/good/000.png"), "--checkpoint", path("bare.safetensors"), ...more);
    const { output, errors } = await run();
    expect(output).to.match(/^No decision for 1 of 1 images: there is no threshold\.$/m);
    expect(errors).to.match(/not calibrated: scores only, no decisions/);
    const decided = await run("--threshold", "1e-6");
    expect(decided.output).to.match(/^000\.png +[\d.]+ +defective +\d+×\d+ at/m);
    expect(decided.errors).to.not.match(/not calibrated/);
  });

  it("inspects hundreds of images, one after the other", async () => {
    mkdirSync("many");
    for (let i = 0; i < 200; i++) {
      writeImage(`many/${String(i).padStart(3, "0")}.png`, createImage(20, 20, 3, [i, 255 - i, 90]));
    }
    const { code, output, errors } = await predict("many", "--json", "--overlay-size", "0", "--no-maps");
    expect(code, errors).to.equal(0);
    const { images } = JSON.parse(output) as Result;
    expect(images.map(({ file }) => file)).to.deep.equal(
      readdirSync("many").map((name) => join("many", name)),
    );
    expect(errors).to.match(/inspecting 200\/200/);
  });
});
