/** Which images of a folder a model may be calibrated on. */
import { copyFileSync, rmSync } from "node:fs";
import { expect } from "chai";
import { resolveConfig } from "../../ddad/src/config/parse.ts";
import type { Config } from "../../ddad/src/config/schema.ts";
import { createImage, type Image } from "../../ddad/src/images/image.ts";
import { loadTraining } from "../src/stages/data.ts";
import { findGoodImages } from "../src/stages/goodImages.ts";
import { Tree } from "./datasetsTree.ts";

/** An image that no other gray value gives. */
const gray = (value: number): Image => createImage(4, 4, 1, [value, value, value]);

describe("good images to calibrate on", () => {
  let tree: Tree;
  let run: string;
  let config: Config;
  let trained: readonly string[];
  beforeEach(async () => {
    tree = new Tree();
    run = tree.path("run");
    for (let i = 0; i < 10; i++) tree.write([`a/train/good/${i}.png`, gray(i)]);
    tree.write(["a/test/good/0.png", gray(100)], ["a/test/bent/0.png", gray(101)]);
    config = resolveConfig({
      data: { root: tree.path("a"), imageSize: 8, heldOut: 0.3 },
      model: { channelMultipliers: [1] },
      detection: { blurSigma: 0.5 },
    });
    trained = (await loadTraining(config, run)).train.ids;
  });
  afterEach(() => tree.remove());

  function find(folder: string): { ids: string[]; leftOut: object; told: string } {
    let told = "";
    const { files, leftOut } = findGoodImages(tree.path(folder), config, run, {
      onEvent: (event) => {
        if (event.type === "notice") told += `${event.message}\n`;
      },
    });
    return { ids: files.map(({ id }) => id), leftOut, told };
  }

  it("are all of a folder that was not trained on, also below it", () => {
    tree.write(["new/0.png", gray(50)], ["new/shift 2/1.png", gray(51)]);
    expect(find("new")).to.deep.equal({
      ids: ["0.png", "shift 2/1.png"],
      leftOut: { trained: 0, named: 0, copies: 0 },
      told: `2 of 2 images in ${tree.path("new")} are used\n`,
    });
  });

  it("are those held out where the folder is the one that was trained on", () => {
    const { ids, leftOut, told } = find("a/train/good");
    expect(ids.map((id) => `train/good/${id}`)).to.have.members(
      Array.from({ length: 10 }, (_, i) => `train/good/${i}.png`).filter((id) => !trained.includes(id)),
    );
    expect(leftOut).to.deep.equal({ trained: trained.length, named: 0, copies: 0 });
    expect(told).to.match(new RegExp(`left out: ${trained.length} were trained on\\)`));
  });

  it("are no copies of training images, and none of each other", () => {
    tree.write(["new/a.png", gray(50)], ["new/b.png", gray(50)]);
    copyFileSync(tree.path("a", trained[0]!), tree.path("new/renamed.png"));
    const { ids, leftOut } = find("new");
    expect(ids).to.deep.equal(["a.png"]);
    expect(leftOut).to.deep.equal({ trained: 1, named: 0, copies: 1 });
  });

  it("go by their names where the training images are gone", () => {
    const name = trained[0]!.split("/").at(-1)!;
    tree.write([`new/${name}`, gray(50)], ["new/other.png", gray(51)]);
    expect(find("new").ids).to.have.members([name, "other.png"]);
    rmSync(tree.path("a", trained[0]!));
    expect(find("new")).to.deep.include({
      ids: ["other.png"],
      leftOut: { trained: 0, named: 1, copies: 0 },
    });
    rmSync(tree.path("a"), { recursive: true });
    expect(find("new").ids).to.deep.equal(["other.png"]);
  });

  it("are said to be test images where they are", () => {
    expect(find("a/test/good").told).to.match(
      /^1 of them are test images of the data set \(0\.png\): .* too few false alarms\.$/m,
    );
  });

  it("follow the same division where nothing recorded it, and are all where nothing is known", () => {
    rmSync(tree.path("run"), { recursive: true });
    expect(find("a/train/good").ids).to.have.length(10 - trained.length);
    tree.write(["new/0.png", gray(50)]);
    rmSync(tree.path("a"), { recursive: true });
    const { ids, told } = find("new");
    expect(ids).to.deep.equal(["0.png"]);
    expect(told).to.match(/nothing says which images the model was trained on, so all are used/);
  });
});
