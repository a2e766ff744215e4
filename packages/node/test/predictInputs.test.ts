/** What predict inspects, and where its results go. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataError } from "@ddad/ddad/internal";
import { expect } from "chai";
import { isOutputFolder, listImagesBelow } from "../src/datasets/listing.ts";
import { findInputs, patternExpression } from "../src/stages/inputs.ts";
import type { Prediction } from "../src/stages/predict.ts";
import {
  openPredictionsFolder,
  PredictionsFile,
  PredictionsWriter,
} from "../src/stages/predictionsFolder.ts";

describe("inputs of predict", () => {
  let folder: string;
  const path = (...parts: string[]) => join(folder, ...parts);
  const touch = (...names: string[]) => {
    for (const name of names) {
      mkdirSync(join(path(name), ".."), { recursive: true });
      writeFileSync(path(name), "");
    }
  };
  const idsOf = (...paths: string[]) => findInputs(paths.map((name) => path(name))).files.map(({ id }) => id);
  const entry = (name: string) => ({
    ...{ file: name, score: 1, decision: "good", regions: [] },
    ...{ overlay: `${name}-overlay.png`, map: `${name}-map.npy` },
  });
  /** Writes the list of predictions of images. */
  const list = (out: string, ...names: string[]): void => {
    mkdirSync(path(out), { recursive: true });
    let text = "";
    const write = (part: string): void => {
      text += part;
    };
    const writer = new PredictionsWriter({ threshold: 1 }, write, true);
    for (const name of names) writer.add(entry(name) as Prediction);
    writer.end();
    writeFileSync(path(out, "predictions.json"), text);
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ddad-inputs-"));
    touch("a.png", "b.PNG", "notes.txt", ".hidden.png", "phone.heic", "parts/1.jpg", "parts/deep/2.png");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("are files, folders with their sub-folders, and patterns", () => {
    expect(idsOf(".")).to.deep.equal(["a.png", "b.PNG", "phone.heic", "parts/1.jpg", "parts/deep/2.png"]);
    expect(idsOf("parts")).to.deep.equal(["1.jpg", "deep/2.png"]);
    expect(idsOf("*.png")).to.deep.equal(["a.png", "b.PNG"]);
    expect(idsOf("**/*.png")).to.deep.equal(["a.png", "b.PNG", "parts/deep/2.png"]);
    expect(idsOf("parts/*.{jpg,png}")).to.deep.equal(["1.jpg"]);
    expect(idsOf("b.PNG", "parts", "[a-c].png")).to.deep.equal(["b.PNG", "1.jpg", "deep/2.png", "a.png"]);
  });

  it("have ids of their own, also where names repeat", () => {
    touch("other/1.jpg");
    const { files } = findInputs([path("parts"), path("other"), path("parts/1.jpg")]);
    expect(files.map(({ id }) => id)).to.deep.equal(["1.jpg", "deep/2.png", "other/1.jpg"]);
    expect(files[2]!.path).to.equal(path("other", "1.jpg"));
  });

  it("are never results, nor found twice through a link", () => {
    touch("predictions/a-overlay.png", "x/sub/y-overlay.png", "x/predictions.json.partial");
    list("predictions", "a");
    // As a work that was killed leaves it.
    writeFileSync(
      path("x/predictions.json.partial"),
      `{"threshold":1,"images":[\n${JSON.stringify(entry("sub/y"))}\n,{"file":"sub/z`,
    );
    symlinkSync(folder, path("parts", "loop"));
    const { files, skipped } = findInputs([folder]);
    expect(files.map(({ id }) => id)).to.deep.equal([
      "a.png",
      "b.PNG",
      "phone.heic",
      "parts/1.jpg",
      "parts/deep/2.png",
    ]);
    expect(skipped).to.deep.equal([path("predictions"), path("x")]);
    touch("a-overlay.png", "c-overlay.png");
    list(".", "a", "parts/1.jpg");
    expect(idsOf(".")).to.not.include("a-overlay.png");
    expect(idsOf("."), "an image that is called like a result").to.include.members([
      "a.png",
      "c-overlay.png",
    ]);
  });

  it("are images also in a folder of results, for predictions, data sets and calibrations alike", () => {
    touch("parts/1.jpg-overlay.png", "parts/deep/2-overlay.png", "parts/other-overlay.png");
    list("parts", "1.jpg", "deep/2");
    const images = ["parts/1.jpg", "parts/other-overlay.png", "parts/deep/2.png"];
    const { files, skipped } = findInputs([folder]);
    expect(files.map(({ id }) => id)).to.include.members(images);
    expect(files).to.have.length(3 + images.length);
    expect(skipped).to.deep.equal([]);
    expect(listImagesBelow(folder)).to.have.members(files.map(({ id }) => id));
    expect(isOutputFolder(path("parts"))).to.equal(false);
    // What another program calls so says nothing.
    writeFileSync(path("parts", "predictions.json"), '{"classes": []}');
    expect(listImagesBelow(folder)).to.include("parts/deep/2-overlay.png");
    list("parts/results", "a");
    touch("parts/results/a-overlay.png");
    expect(isOutputFolder(path("parts", "results"))).to.equal(true);
  });

  it("take a path that exists as it is, though it looks like a pattern", () => {
    touch("a[1].png");
    expect(idsOf("a[1].png")).to.deep.equal(["a[1].png"]);
  });

  it("refuse what is not there", () => {
    mkdirSync(path("empty"));
    expect(() => idsOf("none.png")).to.throw(DataError, /none\.png does not exist; give an image, a folder/);
    expect(() => idsOf("empty")).to.throw(DataError, /empty holds no images/);
    expect(() => idsOf("none/*.png")).to.throw(DataError, /none does not exist/);
    expect(() => idsOf("*.tif")).to.throw(DataError, /No image matches .*\*\.tif; images are PNG/);
  });

  it("match as shells do", () => {
    const matches = (pattern: string, name: string) => patternExpression(pattern).test(name);
    expect(matches("*.png", "a/b.png")).to.equal(false);
    expect(matches("?.png", "a.PNG")).to.equal(true);
    expect(matches("A*.png", "ab.png")).to.equal(false);
    expect(matches("a.png", "axpng")).to.equal(false);
    expect(matches("[!a].png", "b.png")).to.equal(true);
    expect(matches("[!a].png", "a.png")).to.equal(false);
    expect(matches("**", "a/b/c.png")).to.equal(true);
    expect(matches("x/**/z.png", "x/z.png")).to.equal(true);
    expect(matches("(1)+$.png", "(1)+$.png")).to.equal(true);
    expect(matches("{a,b", "{a,b")).to.equal(true);
  });
});

describe("the folder of predictions", () => {
  let folder: string;
  let before: string;
  const head = { threshold: 1 };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ddad-results-"));
    before = process.cwd();
    process.chdir(folder);
  });
  afterEach(() => {
    process.chdir(before);
    rmSync(folder, { recursive: true });
  });
  const finish = (out: string, names: readonly string[] = []) => {
    using file = new PredictionsFile(out, head);
    file.add({ file: "a.png", error: "a.png is empty." });
    for (const name of names) {
      const results = { overlay: `${name}-overlay.png`, map: `${name}-map.npy` };
      file.add({ file: name, score: 1, decision: "good", regions: [], ...results });
    }
  };

  it("is numbered, so that results are never mixed", () => {
    for (const name of ["predictions", "predictions-2", "predictions-3"]) {
      expect(openPredictionsFolder()).to.equal(name);
      finish(name);
    }
    expect(openPredictionsFolder({ overwrite: true })).to.equal("predictions");
  });

  it("is refused where it was asked for and holds something, unless results are to be replaced", () => {
    mkdirSync("mine/sub", { recursive: true });
    const images = ["photo.png", "old-overlay.png", "sub/old-map.npy"];
    for (const name of images) writeFileSync(join("mine", name), name);
    const left = () => readdirSync("mine", { recursive: true }).sort();
    const theirs = left();
    expect(() => openPredictionsFolder({ out: "mine" })).to.throw(DataError, /mine is not empty/);
    const files = ["photo.png", "deep/part.jpg"].map((id) => ({ id, path: id }));
    openPredictionsFolder({ out: "mine", overwrite: true, files });
    mkdirSync("mine/deep");
    const results = ["photo-overlay.png", "deep/part.jpg-map.npy"];
    for (const name of results) writeFileSync(join("mine", name), "");
    finish("mine", ["photo", "deep/part.jpg"]);
    expect(left()).to.include.members([...results, "predictions.json"]);
    openPredictionsFolder({ out: "mine", overwrite: true, files });
    rmSync("mine/predictions.json.partial");
    expect(left(), "exactly the results are gone").to.deep.equal(theirs);
    for (const name of images) expect(readFileSync(join("mine", name), "utf8")).to.equal(name);
  });

  it("is refused where results would replace a file that is none", () => {
    mkdirSync("mine");
    writeFileSync("mine/a-overlay.png", "a photograph");
    const options = { out: "mine", overwrite: true, files: [{ id: "a.png", path: "mine/a.png" }] };
    expect(() => openPredictionsFolder(options)).to.throw(
      DataError,
      "Results would replace mine/a-overlay.png, which ddad predict did not write; name another folder with --out.",
    );
    rmSync("mine/a-overlay.png");
    writeFileSync("mine/predictions.json", "[]");
    expect(() => openPredictionsFolder(options)).to.throw(DataError, /replace mine.predictions\.json/);
    expect(readFileSync("mine/predictions.json", "utf8")).to.equal("[]");
  });

  it("is refused in a sentence where it is a file, or below one", () => {
    writeFileSync("file", "");
    expect(() => openPredictionsFolder({ out: "file" })).to.throw(
      DataError,
      "file is a file, but results need a folder",
    );
    expect(() => openPredictionsFolder({ out: "file/below" })).to.throw(
      DataError,
      /cannot be written: a part of the path is a file/,
    );
  });

  it("lists predictions as they come, and is valid JSON also where the work ends early", () => {
    const out = openPredictionsFolder();
    const work = (): void => {
      using file = new PredictionsFile(out, head);
      file.add({ file: "a.png", error: "a.png is empty." });
      file.add({ file: "b.png", score: 2, decision: "defective", regions: [], overlay: null, map: null });
      expect(readFileSync(join(out, "predictions.json.partial"), "utf8")).to.match(/"file":"b\.png"/);
      throw new Error("stopped");
    };
    expect(work).to.throw("stopped");
    expect(existsSync(join(out, "predictions.json.partial"))).to.equal(false);
    const stored = JSON.parse(readFileSync(join(out, "predictions.json"), "utf8"));
    expect(stored.threshold).to.equal(1);
    expect(stored.images).to.have.length(2);
    expect(stored.counts).to.deep.equal({ good: 0, defective: 1, unlike: 0, undecided: 0, failed: 1 });
  });
});
