/** The pictures of a run: divided once, and the same ever after. */
import { readFileSync, rmSync } from "node:fs";
import { expect } from "chai";
import { loadHeldOut, loadTest, loadTraining } from "../src/cli/data.ts";
import { type Config, resolveConfig } from "../src/config.ts";
import type { SplitRecord } from "../src/datasets/split.ts";
import { maskImage } from "../src/images/mask.ts";
import { refuses, Tree } from "./datasetsTree.ts";

describe("the pictures of a run", () => {
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

  /** What is said to the user meanwhile. */
  async function heard(work: () => Promise<unknown>): Promise<string> {
    const { write } = process.stderr;
    let text = "";
    process.stderr.write = (part: string | Uint8Array) => {
      text += String(part);
      return true;
    };
    try {
      await work();
    } finally {
      process.stderr.write = write;
    }
    return text;
  }

  it("are divided and recorded", async () => {
    let pictures: Awaited<ReturnType<typeof loadTraining>> | undefined;
    await heard(async () => {
      pictures = await loadTraining(config, run);
    });
    const { train, heldOut } = pictures!;
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

  it("keep their sides when the data set changes, which is said", async () => {
    await heard(() => loadTraining(config, run));
    const before = record();
    for (let i = 10; i < 40; i++) tree.write(`a/train/good/${i}.png`);
    tree.write("a/test/bent/1.png");
    rmSync(tree.path("a", before.train[0]!));
    const resumed = await heard(() => loadTraining(config, run, true));
    expect(resumed).to.match(
      /the data set has changed since the run began: good pictures to train with: 30 new \(train\/good\/10\.png, .* and 26 more\), 1 gone \(train\/good\/\d\.png\)\n/,
    );
    const after = record();
    expect(after.train).to.include.members(before.train);
    expect(after.heldOut).to.include.members(before.heldOut);
    expect([...after.train, ...after.heldOut]).to.have.length(40);
    expect(await heard(() => loadHeldOut(config, run))).to.include("1 gone");
    expect(await heard(() => loadTest(config, run))).to.not.include("changed");
    tree.write("a/test/bent/2.png");
    expect(await heard(() => loadTest(config, run))).to.include("test pictures: 1 new (test/bent/2.png)\n");
  });

  it("are held out as recorded, whatever their hashes say", async () => {
    const ids = Array.from({ length: 10 }, (_, i) => `train/good/${i}.png`);
    const sides = { train: ids.slice(0, 5), heldOut: ids.slice(5), test: [] };
    tree.write(["run/split.json", JSON.stringify({ dataset: "a", seed: 42, fraction: 0.2, ...sides })]);
    let found: readonly string[] = [];
    await heard(async () => {
      found = (await loadHeldOut(config, run)).ids;
    });
    expect(found).to.deep.equal(sides.heldOut);
    tree.write(["run/split.json", JSON.stringify({ dataset: "b", seed: 42, fraction: 0.2, ...sides })]);
    const said = await heard(async () => {
      found = (await loadHeldOut(config, run)).ids;
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
    await heard(() => loadTraining(configOf("parts.csv"), run));
    table("a/train/good/0.png,good,test", "a/test/bent/0.png,bad,test");
    await refuses(
      loadTest(configOf("parts.csv"), run),
      "1 test pictures of " +
        `${tree.path("parts.csv")} are among those that the run in ${run} was trained or calibrated with (a/train/good/0.png)`,
    );
  });

  it("may have masks that show nothing, which is said", async () => {
    const empty = maskImage(new Uint8Array(16), 4, 4);
    tree.write("a/test/bent/1.png", ["a/ground_truth/bent/0.png", empty]);
    tree.write(["a/ground_truth/bent/1.png", maskImage(Uint8Array.of(1, 1, 1, 1), 2, 2)]);
    let masks: readonly Uint8Array[] | undefined;
    const load = async () => {
      masks = (await loadTest(config)).masks;
    };
    expect(await heard(load)).to.include(
      "1 masks of defective pictures show nothing at 8 × 8 (test/bent/0.png): all their pixels count as good\n",
    );
    expect(masks!.map((mask) => mask.reduce((sum, value) => sum + value, 0))).to.deep.equal([0, 64, 0]);
    tree.write(["a/ground_truth/bent/1.png", empty]);
    expect(await heard(load)).to.include("2 masks of defective pictures show nothing at 8 × 8");
    expect(masks).to.equal(undefined);
  });
});
