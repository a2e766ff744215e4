import { expect } from "chai";
import { isTestImage } from "../../ddad/src/data/split.ts";
import { findCategories } from "../src/datasets/dataset.ts";
import { datasetTree, decodes, cornerMask as mask } from "./datasetsTree.ts";

const tree = datasetTree();
const { open, rows, refusesToOpen: refuses } = tree;

describe("sub-folders", () => {
  it("are read in training and test images, with masks beside or below them", async () => {
    tree.write("a/train/good/2024-01-01/0.png", "a/train/good/cam 2/0.png", "a/train/good/0.png");
    tree.write("a/test/hole/camera1/0.png", "a/test/hole/camera2/0.png", "a/test/good/x/1.png");
    tree.write("a/test/hole/camera2/7.png");
    tree.write(["a/ground_truth/hole/camera1/0_mask.png", mask]);
    tree.write(["a/ground_truth/hole/camera2/0.png", mask], ["a/ground_truth/hole/7_mask.png", mask]);
    const dataset = open("a");
    expect(rows(dataset.train).map(([id]) => id)).to.deep.equal([
      "train/good/0.png",
      "train/good/2024-01-01/0.png",
      "train/good/cam 2/0.png",
    ]);
    expect(rows(dataset.test)).to.deep.equal([
      ["test/good/x/1.png", "good"],
      ["test/hole/camera1/0.png", "hole", "a/ground_truth/hole/camera1/0_mask.png"],
      ["test/hole/camera2/0.png", "hole", "a/ground_truth/hole/camera2/0.png"],
      ["test/hole/camera2/7.png", "hole", "a/ground_truth/hole/7_mask.png"],
    ]);
    expect(dataset.strayMasks).to.deep.equal([]);
    await decodes(dataset);
  });

  it("share no mask of their kind's folder by a name that two images have", () => {
    tree.write("a/train/good/0.png", "a/test/hole/x/0.png", "a/test/hole/y/0.png");
    tree.write(["a/ground_truth/hole/0.png", mask]);
    refuses("a", "has masks, but none for 2 of its defective images (test/hole/x/0.png, test/hole/y/0.png)");
  });

  it("of a folder of good images are good, too, which is said; those called defective are left out", () => {
    tree.write(
      "a/0.png",
      "a/cam 1/1.png",
      "a/cam 2/deep/2.png",
      "a/NOK/3.png",
      "a/masks/3.png",
      "a/cam 1/bad/7.png",
    );
    tree.write("a/test/good/4.png", "a/test/bent/5.png", "a/old/6-overlay.png");
    tree.write(["a/old/predictions.json", '{"images":[{"file":"6.png","overlay":"6-overlay.png"}]}']);
    const { format, train, test, notices } = open("a");
    expect(format).to.equal("folder");
    expect(train.map(({ id }) => id)).to.deep.equal(["0.png", "cam 1/1.png", "cam 2/deep/2.png"]);
    expect(test.map(({ id }) => id)).to.deep.equal(["test/bent/5.png", "test/good/4.png"]);
    expect(notices).to.deep.equal([
      `the images in the sub-folders of ${tree.path("a")} (cam 1, cam 2) are taken as good ones, too`,
      `${tree.path("a")} also holds NOK, cam 1/bad: left out; to test with them, move the good images into ${tree.path("a/good")}`,
    ]);
    tree.write("c/0.png", "c/cam 1/1.png", "c/cam 1/check/good/2.png", "c/cam 1/check/bent/3.png");
    const given = open("c", { test: tree.path("c/cam 1/check") });
    expect(given.train.map(({ id }) => id)).to.deep.equal(["0.png", "cam 1/1.png"]);
    expect(given.test.map(({ id }) => id)).to.deep.equal(["test/bent/3.png", "test/good/2.png"]);
    tree.write("d/Train/Good/0.png", "d/Test/bent/0.png");
    refuses(
      "d",
      "ROOT/d is not a data set: it holds Test/, Train/. The layouts nearest to it are mvtec (train/good",
    );
    tree.write("e/0.png", "e/val/1.png");
    expect(open("e")).to.deep.include({ notices: [`${tree.path("e")} also holds val: left out`] });
    expect(open("e").train.map(({ id }) => id)).to.deep.equal(["0.png"]);
    tree.write("b/monday/0.png", "b/tuesday/0.png");
    expect(open("b").train.map(({ id }) => id)).to.deep.equal(["monday/0.png", "tuesday/0.png"]);
    expect(findCategories(tree.path("b"))).to.deep.equal([]);
  });
});

describe("class folders", () => {
  const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}.png`);

  for (const [good, ...kinds] of [
    ["good", "bad"],
    ["OK", "NOK"],
    ["normal", "abnormal"],
    ["good", "defective"],
    ["good", "scratch", "dent"],
  ]) {
    it(`${[good, ...kinds].join(", ")}: a part of the good images is tested with`, () => {
      tree.write(...names(20).map((name) => `a/${good}/${name}`));
      for (const kind of kinds) tree.write(`a/${kind}/0.png`, `a/${kind}/sub/1.png`);
      const { format, train, test } = open("a");
      expect(format).to.equal("classes");
      const tested = test.filter(({ label }) => label === 0);
      expect(tested.length).to.be.within(1, 7);
      expect(train.length + tested.length).to.equal(20);
      expect(test.filter(({ label }) => label === 1).map(({ id, kind }) => [id, kind])).to.deep.equal(
        [...kinds].sort().flatMap((kind) => [
          [`${kind}/0.png`, kind],
          [`${kind}/sub/1.png`, kind],
        ]),
      );
      expect(findCategories(tree.path("a"))).to.deep.equal([]);
    });
  }

  it("keep a test image one when others come, and another seed takes others", () => {
    tree.write(...names(60).map((name) => `a/good/${name}`), "a/bad/0.png");
    const testedIds = (seed = 0): string[] =>
      open("a", { splitSeed: seed }).test.flatMap(({ id, label }) => (label === 0 ? [id] : []));
    const before = testedIds();
    expect(before).to.have.members(
      names(60)
        .map((name) => `good/${name}`)
        .filter((id) => isTestImage(id, 0)),
    );
    expect(testedIds(1)).to.not.deep.equal(before);
    tree.write(...names(90).map((name) => `a/good/${name}`));
    expect(testedIds()).to.include.members(before);
  });

  it("have masks by their kind, and may hold good images alone", async () => {
    tree.write(...names(5).map((name) => `a/good/${name}`), "a/scratch/0.png", "a/preview.png");
    tree.write(["a/masks/scratch/0.png", mask]);
    const dataset = open("a");
    expect(rows(dataset.test.filter(({ label }) => label === 1))).to.deep.equal([
      ["scratch/0.png", "scratch", "a/masks/scratch/0.png"],
    ]);
    await decodes(dataset);
    expect(dataset.notices).to.deep.equal([
      `${tree.path("a")} also holds images outside its folders (preview.png): left out`,
    ]);
    tree.write(...names(5).map((name) => `b/good/${name}`));
    expect(open("b")).to.deep.include({ format: "classes", test: [] });
    expect(open("b").train).to.have.length(5);
    tree.write("c/part 1/good/0.png", "c/part 1/bad/0.png", "c/part 2/ok/0.png");
    expect(findCategories(tree.path("c"))).to.deep.equal(["part 1", "part 2"]);
  });

  it("are refused without good images", () => {
    tree.write("a/good/notes.txt", "a/bad/0.png");
    refuses("a", "ROOT/a/good holds no images; it should hold good ones, as PNG");
  });
});
