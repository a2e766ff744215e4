import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { DataError } from "../../ddad/src/errors.ts";
import { sharedOrSkip } from "../../tensor/test/shared.ts";
import { openDataset } from "../src/datasets/dataset.ts";
import { findImages } from "../src/datasets/listing.ts";
import { type Entry, Tree } from "./datasetsTree.ts";

let tree: Tree;
let root: string;
beforeEach(() => {
  tree = new Tree();
  root = tree.root;
});
afterEach(() => tree.remove());

const files = (...entries: Entry[]): void => tree.write(...entries);

const open = (name: string, options = {}): ReturnType<typeof openDataset> =>
  openDataset(join(root, name), options);

describe("openDataset, MVTec layout", () => {
  it("finds samples, kinds and both ways of naming masks, sorted", () => {
    files("a/train/good/010.png", "a/train/good/002.png", "a/readme.txt", "a/train/good/.DS_Store");
    files("a/test/good/000.png", "a/test/crack/000.png", "a/test/hole/x.PNG", "a/test/hole/b.png");
    files("a/ground_truth/crack/000_mask.png", "a/ground_truth/hole/x.PNG", "a/ground_truth/hole/b.png");
    const { name, train, test } = open("a");
    expect(name).to.equal("a");
    expect(train.map(({ id }) => id)).to.deep.equal(["train/good/002.png", "train/good/010.png"]);
    expect(train.every(({ label, kind }) => label === 0 && kind === "good")).to.equal(true);
    expect(test.map(({ id, label, kind }) => [id, label, kind])).to.deep.equal([
      ["test/crack/000.png", 1, "crack"],
      ["test/good/000.png", 0, "good"],
      ["test/hole/b.png", 1, "hole"],
      ["test/hole/x.PNG", 1, "hole"],
    ]);
    expect(test.map(({ maskPath }) => maskPath)).to.deep.equal([
      join(root, "a/ground_truth/crack/000_mask.png"),
      undefined,
      join(root, "a/ground_truth/hole/b.png"),
      join(root, "a/ground_truth/hole/x.PNG"),
    ]);
  });

  it("takes one category of several", () => {
    files("all/screw/train/good/0.png", "all/nut/train/good/0.png");
    expect(open("all", { category: "screw" }).name).to.equal("screw");
    expect(() => open("all")).to.throw(
      DataError,
      "holds several data sets (nut, screw); choose one with data.category.",
    );
    expect(() => open("all", { category: "cap" })).to.throw(
      DataError,
      'no category "cap"; its folders are: nut, screw.',
    );
  });

  it("goes without masks where there are none at all", () => {
    files("a/train/good/0.png", "a/test/bad/0.png");
    expect(open("a").test[0]).to.not.have.property("maskPath");
  });

  it("reads the real data sets", function () {
    const screw = openDataset(sharedOrSkip(this, "data", "mvtec_screw_256"));
    expect([screw.train.length, screw.test.length]).to.deep.equal([320, 160]);
    const mtd = openDataset(sharedOrSkip(this, "data", "mtd_256"));
    for (const { train, test } of [screw, mtd]) {
      expect(train.length).to.be.greaterThan(0);
      expect(test.every(({ label, maskPath }) => (label === 1) === (maskPath !== undefined))).to.equal(true);
    }
  });

  const mvtec = "mvtec (train/good, test/good, test/<kind of defect>, ground_truth/<kind>)";
  const btad = "btad (train/ok, test/ok, test/ko, ground_truth/ko)";
  const folder =
    "folder (good images in the folder or its sub-folders, and where wanted test/good and test/<kind of defect>)";
  const classes = "classes (good (ok, normal) and bad (nok, ng, or one folder for every kind of defect))";
  const nearest = (...layouts: string[]): string =>
    `The layouts nearest to it are ${layouts.join(" and ")}; docs/data-sets.md lists all.`;
  const broken: [string, string[], string][] = [
    ["a missing folder", [], "The folder ROOT/a does not exist."],
    [
      "no train/good",
      ["a/train/fine/0.png", "a/0.png"],
      `ROOT/a is not a data set: it holds train/, 0.png (train/ holds fine). ${nearest(mvtec, btad)}`,
    ],
    [
      "an empty train/good",
      ["a/train/good/notes.txt"],
      "ROOT/a/train/good holds no images; it should hold good ones, as PNG, JPEG, BMP, TIFF, WebP or GIF files.",
    ],
    [
      "an empty folder",
      ["a/notes.txt"],
      `ROOT/a is not a data set: it holds notes.txt. ${nearest(folder, classes)}`,
    ],
    [
      "an empty test",
      ["a/train/good/0.png", "a/test/notes.txt"],
      "ROOT/a/test holds no images; it should hold a folder good and one for every kind of defect.",
    ],
    [
      "loose test images",
      ["a/train/good/0.png", "a/test/0.png"],
      "ROOT/a/test does not say whether its images are good (0.png); sort them into a folder good and one folder for every kind of defect.",
    ],
    [
      "only defective images",
      ["a/bad/0.png"],
      `ROOT/a is not a data set: it holds bad/. ${nearest(classes, folder)}`,
    ],
    [
      "a mask that is missing",
      ["a/train/good/0.png", "a/test/bad/0.png", "a/test/bad/1.png", "a/ground_truth/bad/1.png"],
      "The data set a has masks, but none for 1 of its defective images (test/bad/0.png); add them, or remove all masks to go without pixel metrics.",
    ],
    ["a file in place of a folder", ["a"], "ROOT/a is a file; a folder is needed here."],
  ];
  for (const [what, entries, message] of broken) {
    it(`refuses ${what} in one sentence`, () => {
      files(...entries);
      expect(() => open("a"))
        .to.throw(DataError)
        .with.property("message", message.replaceAll("ROOT", root));
    });
  }
});

describe("openDataset, plain folders", () => {
  it("takes a folder of good images", () => {
    files("parts/b.png", "parts/a.png");
    const { train, test } = open("parts");
    expect(train.map(({ id, path }) => [id, path])).to.deep.equal([
      ["a.png", join(root, "parts/a.png")],
      ["b.png", join(root, "parts/b.png")],
    ]);
    expect(test).to.deep.equal([]);
  });

  it("takes a test folder, inside or elsewhere, where all but good is a defect", () => {
    files(
      "parts/a.png",
      "parts/test/good/1.png",
      "parts/test/bent/1.png",
      "more/good/1.png",
      "more/dirty/1.png",
    );
    expect(open("parts").test.map(({ id, label }) => [id, label])).to.deep.equal([
      ["test/bent/1.png", 1],
      ["test/good/1.png", 0],
    ]);
    const other = open("parts", { test: join(root, "more") }).test;
    expect(other.map(({ path, label }) => [path, label])).to.deep.equal([
      [join(root, "more/dirty/1.png"), 1],
      [join(root, "more/good/1.png"), 0],
    ]);
    expect(() => open("parts", { test: join(root, "none") })).to.throw(DataError, "none does not exist.");
  });

  it("does not test with training images, whatever they are called there", () => {
    files("parts/train/good/1.png", "parts/train/good/2.png");
    expect(() => open("parts", { test: join(root, "parts/train") })).to.throw(
      DataError,
      "2 test images of the data set parts are training images, too (test/good/1.png, test/good/2.png)",
    );
  });
});

describe("findImages", () => {
  it("takes one file, or everything below a folder", () => {
    files("in/b.png", "in/deep/a.png", "in/notes.txt");
    expect(findImages(join(root, "in/b.png"))).to.deep.equal([{ id: "b.png", path: join(root, "in/b.png") }]);
    expect(findImages(join(root, "in")).map(({ id }) => id)).to.deep.equal(["b.png", "deep/a.png"]);
  });

  it("takes files in formats that are not read, to be refused one by one", () => {
    files("photos/1.heic", "photos/2.png");
    expect(findImages(join(root, "photos")).map(({ id }) => id)).to.deep.equal(["1.heic", "2.png"]);
  });

  it("leaves out results of this program, and does not follow a link in a circle", () => {
    const list = '{"images":[{"file":"a.png","overlay":"a-overlay.png","map":null}]}';
    files("in/a.png", ["in/predictions/predictions.json", list], "in/predictions/a-overlay.png");
    files(
      ["in/run/split.json", "{}"],
      ["in/run/config.yaml", ""],
      "in/run/evaluation/0.png",
      "in/deep/b.png",
    );
    files(["in/mine/results.json", "{}"], "in/mine/c.png");
    symlinkSync(join(root, "in"), join(root, "in/deep/again"));
    expect(findImages(join(root, "in")).map(({ id }) => id)).to.deep.equal([
      ...["a.png", "deep/b.png", "mine/c.png"],
    ]);
    expect(() => findImages(join(root, "in/predictions"))).to.throw(DataError, /predictions holds no images/);
  });

  it("refuses what holds no image", () => {
    files("in/notes.txt");
    const find = (name: string) => () => findImages(join(root, name));
    expect(find("none")).to.throw(DataError, "does not exist; give an image or a folder");
    expect(find("in")).to.throw(
      DataError,
      "holds no images; it should hold PNG, JPEG, BMP, TIFF, WebP or GIF files.",
    );
    expect(find("in/notes.txt")).to.throw(DataError, "notes.txt is not an image that can be read");
  });
});
