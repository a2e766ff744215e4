/** The images of a run: divided once, and the same ever after. */
import { readFileSync, rmSync } from "node:fs";
import { expect } from "chai";
import { resolveConfig } from "../../ddad/src/config/parse.ts";
import type { Config } from "../../ddad/src/config/schema.ts";
import type { SplitRecord } from "../../ddad/src/data/split.ts";
import { createImage } from "../../ddad/src/images/image.ts";
import { maskImage } from "../../ddad/src/images/mask.ts";
import type { StageOptions } from "../src/events.ts";
import { loadHeldOut, loadTest, loadTraining } from "../src/stages/data.ts";
import { refuses, Tree } from "./datasetsTree.ts";

describe("the images of a run", () => {
  let tree: Tree;
  let run: string;
  let config: Config;
  beforeEach(() => {
    tree = new Tree();
    run = tree.path("run");
    config = configOf("a");
    for (let i = 0; i < 10; i++) tree.write(`a/train/good/${i}.png`);
    tree.write("a/test/good/0.png", "a/test/bent/0.png");
  });
  afterEach(() => tree.remove());

  const configOf = (root: string, data: object = {}): Config =>
    resolveConfig({
      data: { root: tree.path(root), imageSize: 8, heldOut: 0.2, ...data },
      model: { channelMultipliers: [1] },
      detection: { blurSigma: 0.5 },
    });

  const record = (): SplitRecord =>
    JSON.parse(readFileSync(tree.path("run/split.json"), "utf8")) as SplitRecord;

  /** The notices meanwhile, a line each. */
  async function heard(work: (options: StageOptions) => Promise<unknown>): Promise<string> {
    let text = "";
    await work({
      onEvent(event) {
        if (event.type === "notice") text += `${event.message}\n`;
      },
    });
    return text;
  }

  it("are divided and recorded", async () => {
    const { train, heldOut } = await loadTraining(config, run);
    expect(train.images.count + heldOut.images.count).to.equal(10);
    expect(record()).to.deep.equal({
      dataset: "a",
      seed: 42,
      fraction: 0.2,
      train: train.ids,
      heldOut: heldOut.ids,
      test: ["test/bent/0.png", "test/good/0.png"],
    });
  });

  it("are the same test files at each size, and others where one file is", async () => {
    const { files } = await loadTest(config, run);
    expect(files).to.match(/^[0-9a-f]{64}$/);
    const smaller = { ...config, data: { ...config.data, imageSize: 4 } };
    expect((await loadTest(smaller, run)).files).to.equal(files);
    tree.write(["a/test/good/0.png", createImage(4, 4, 1, [10, 10, 10])]);
    expect((await loadTest(config, run)).files).to.not.equal(files);
  });

  it("keep their sides when the data set changes, which is said", async () => {
    await heard((options) => loadTraining(config, run, options));
    const before = record();
    for (let i = 10; i < 40; i++) tree.write(`a/train/good/${i}.png`);
    tree.write("a/test/bent/1.png");
    rmSync(tree.path("a", before.train[0]!));
    const resumed = await heard((options) => loadTraining(config, run, { ...options, resume: true }));
    expect(resumed).to.match(
      /the data set has changed since the run began: good images to train with: 30 new \(train\/good\/10\.png, .* and 26 more\), 1 gone \(train\/good\/\d\.png\)\n/,
    );
    const after = record();
    expect(after.train).to.include.members(before.train);
    expect(after.heldOut).to.include.members(before.heldOut);
    expect([...after.train, ...after.heldOut]).to.have.length(40);
    expect(await heard((options) => loadHeldOut(config, run, options))).to.include("1 gone");
    expect(await heard((options) => loadTest(config, run, options))).to.not.include("changed");
    tree.write("a/test/bent/2.png");
    expect(await heard((options) => loadTest(config, run, options))).to.include(
      "test images: 1 new (test/bent/2.png)\n",
    );
  });

  it("are held out as recorded, whatever their hashes say", async () => {
    const ids = Array.from({ length: 10 }, (_, i) => `train/good/${i}.png`);
    const sides = { train: ids.slice(0, 5), heldOut: ids.slice(5), test: [] };
    tree.write(["run/split.json", JSON.stringify({ dataset: "a", seed: 42, fraction: 0.2, ...sides })]);
    let found: readonly string[] = [];
    found = (await loadHeldOut(config, run)).ids;
    expect(found).to.deep.equal(sides.heldOut);
    tree.write(["run/split.json", JSON.stringify({ dataset: "b", seed: 42, fraction: 0.2, ...sides })]);
    const said = await heard(async (options) => {
      found = (await loadHeldOut(config, run, options)).ids;
    });
    expect(said).to.include("run is one of the data set b; its division does not apply to a");
    expect(found).to.not.deep.equal(sides.heldOut);
  });

  it("are not tested with when they were trained on", async () => {
    const rows = [
      "a/train/good/0.png,good,train",
      "a/train/good/1.png,good,train",
      "a/train/good/2.png,good,train",
    ];
    const table = (...more: string[]): void => {
      tree.write(["parts.csv", ["image,label,split", ...rows.slice(more.length), ...more].join("\n")]);
    };
    tree.write(["parts.csv", ["image,label,split", ...rows, "a/train/good/3.png,good,train"].join("\n")]);
    await heard((options) => loadTraining(configOf("parts.csv"), run, options));
    table("a/train/good/0.png,good,test", "a/test/bent/0.png,bad,test");
    await refuses(
      loadTest(configOf("parts.csv"), run),
      "1 test images of " +
        `${tree.path("parts.csv")} are among those that the run in ${run} was trained or calibrated with (a/train/good/0.png)`,
    );
  });

  it("may have masks that show nothing, which is said", async () => {
    const empty = maskImage(new Uint8Array(16), 4, 4);
    tree.write("a/test/bent/1.png", ["a/ground_truth/bent/0.png", empty]);
    tree.write(["a/ground_truth/bent/1.png", maskImage(Uint8Array.of(1, 1, 1, 1), 2, 2)]);
    let masks: readonly Uint8Array[] | undefined;
    const load = async (options: StageOptions) => {
      masks = (await loadTest(config, undefined, options)).masks;
    };
    expect(await heard(load)).to.include(
      "1 masks of defective images show nothing at 8 × 8 (test/bent/0.png): all their pixels count as good\n",
    );
    expect(masks!.map((mask) => mask.reduce((sum, value) => sum + value, 0))).to.deep.equal([0, 64, 0]);
    tree.write(["a/ground_truth/bent/1.png", empty]);
    expect(await heard(load)).to.include("2 masks of defective images show nothing at 8 × 8");
    expect(masks).to.equal(undefined);
  });
});
