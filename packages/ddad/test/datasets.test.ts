import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { entry, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { batchIndices } from "../src/datasets/batches.ts";
import { findImages, openDataset } from "../src/datasets/folder.ts";
import { gatherPixels, imageAt, stackImages } from "../src/datasets/imageSet.ts";
import { loadImages, loadMasks } from "../src/datasets/load.ts";
import { type Sample, splitHeldOut } from "../src/datasets/sample.ts";
import { DataError } from "../src/errors.ts";
import { createImage, type Image } from "../src/images/image.ts";
import { maskImage } from "../src/images/mask.ts";
import { encodePng } from "../src/images/png.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "ddad-datasets-"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** Writes files below the root: a picture where none is given. */
function files(...entries: (string | [string, Image | string])[]): void {
  for (const item of entries) {
    const [name, content] = typeof item === "string" ? [item, createImage(4, 4, 1, [9, 9, 9])] : item;
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof content === "string" ? content : encodePng(content));
  }
}

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

  const broken: [string, string[], string][] = [
    ["a missing folder", [], "The folder ROOT/a does not exist."],
    [
      "no train/good",
      ["a/train/fine/0.png"],
      "ROOT/a/train/good does not exist; the good pictures belong there (train holds: fine).",
    ],
    [
      "an empty train/good",
      ["a/train/good/notes.txt"],
      "ROOT/a/train/good holds no pictures; it should hold good ones, as PNG files.",
    ],
    [
      "an empty folder",
      ["a/notes.txt"],
      "ROOT/a is no data set: it has neither train/good nor PNG files of its own; give a folder of good pictures, or one in the layout of MVTec AD.",
    ],
    [
      "an empty test",
      ["a/train/good/0.png", "a/test/notes.txt"],
      "ROOT/a/test holds no pictures; it should hold a folder good and one for every kind of defect.",
    ],
    [
      "loose test pictures",
      ["a/train/good/0.png", "a/test/0.png"],
      "ROOT/a/test does not say whether its pictures are good (0.png); sort them into a folder good and one folder for every kind of defect.",
    ],
    [
      "pictures of other formats",
      ["a/train/good/0.png", "a/train/good/1.JPG", "a/train/good/2.tif"],
      "ROOT/a/train/good holds 2 pictures that are not PNG (1.JPG, 2.tif); convert them to PNG or move them away.",
    ],
    [
      "a mask that is missing",
      ["a/train/good/0.png", "a/test/bad/0.png", "a/test/bad/1.png", "a/ground_truth/bad/1.png"],
      "ROOT/a/ground_truth has no mask for 1 of the defective pictures (bad/0.png); add them, or remove that folder to go without pixel metrics.",
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
  it("takes a folder of good pictures", () => {
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
});

describe("findImages", () => {
  it("takes one file, or everything below a folder", () => {
    files("in/b.png", "in/deep/a.png", "in/notes.txt");
    expect(findImages(join(root, "in/b.png"))).to.deep.equal([{ id: "b.png", path: join(root, "in/b.png") }]);
    expect(findImages(join(root, "in")).map(({ id }) => id)).to.deep.equal(["b.png", "deep/a.png"]);
  });

  it("refuses what holds no PNG", () => {
    files("in/notes.txt", "photos/1.jpeg");
    expect(() => findImages(join(root, "none"))).to.throw(
      DataError,
      "does not exist; give a PNG file or a folder",
    );
    expect(() => findImages(join(root, "in"))).to.throw(
      DataError,
      "holds no pictures; it should hold PNG files.",
    );
    expect(() => findImages(join(root, "in/notes.txt"))).to.throw(DataError, "notes.txt is not a PNG file");
    expect(() => findImages(join(root, "photos"))).to.throw(DataError, "1.jpeg");
  });
});

const samples = (count: number): Sample[] =>
  Array.from({ length: count }, (_, i) => ({
    id: `train/good/${i}.png`,
    path: `${i}.png`,
    label: 0,
    kind: "good",
  }));

describe("splitHeldOut", () => {
  it("divides without loss, keeping the order", () => {
    const all = samples(57);
    const { train, heldOut } = splitHeldOut(all, 0.2);
    expect(heldOut).to.have.length(11);
    expect(all.filter((sample) => train.includes(sample))).to.deep.equal(train);
    expect([...train, ...heldOut]).to.have.members(all);
  });

  it("does not depend on the order", () => {
    const ids = (list: Sample[]): string[] => list.map(({ id }) => id).sort();
    const { heldOut } = splitHeldOut(samples(40), 0.25);
    expect(ids(splitHeldOut(samples(40).reverse(), 0.25).heldOut)).to.deep.equal(ids(heldOut));
  });

  it("hardly moves when images are added", () => {
    const before = splitHeldOut(samples(200), 0.1).heldOut.map(({ id }) => id);
    const after = new Set(splitHeldOut(samples(210), 0.1).heldOut.map(({ id }) => id));
    expect(before.filter((id) => after.has(id)).length).to.be.at.least(18);
  });

  it("does not take the first ones", () => {
    const { heldOut } = splitHeldOut(samples(100), 0.1);
    const numbers = heldOut.map(({ path }) => Number.parseInt(path, 10));
    expect(Math.max(...numbers)).to.be.greaterThan(50);
  });

  it("leaves at least one on each side, and holds none out for 0", () => {
    expect(splitHeldOut(samples(3), 0.01).heldOut).to.have.length(1);
    expect(splitHeldOut(samples(3), 0.99).train).to.have.length(1);
    expect(splitHeldOut(samples(3), 0).heldOut).to.have.length(0);
    expect(() => splitHeldOut(samples(1), 0.1)).to.throw(
      DataError,
      "at least two of them, but there is one.",
    );
    expect(() => splitHeldOut(samples(3), 1)).to.throw(RangeError, "in [0, 1)");
  });
});

describe("batchIndices", () => {
  const take = (steps: number, batchSize: number, count: number, seed = 3): number[] =>
    Array.from({ length: steps }, (_, step) => batchIndices({ seed, step, batchSize, count })).flat();

  it("goes through every image once an epoch, also where batches do not fit", () => {
    const order = take(14, 5, 10);
    for (let epoch = 0; epoch < 7; epoch++) {
      expect([...order.slice(epoch * 10, epoch * 10 + 10)].sort()).to.deep.equal([
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
      ]);
    }
    const uneven = take(7, 4, 7);
    for (let epoch = 0; epoch < 4; epoch++) {
      expect([...uneven.slice(epoch * 7, epoch * 7 + 7)].sort()).to.deep.equal([0, 1, 2, 3, 4, 5, 6]);
    }
  });

  it("needs no history: any step by itself is the same", () => {
    const all = take(50, 3, 11);
    expect(batchIndices({ seed: 3, step: 42, batchSize: 3, count: 11 })).to.deep.equal(all.slice(126, 129));
  });

  it("shuffles differently every epoch and for every seed", () => {
    const [first, second] = [take(1, 40, 40), take(2, 40, 40).slice(40)];
    expect(first).to.not.deep.equal(second);
    expect(take(1, 40, 40, 4)).to.not.deep.equal(first);
    expect(first).to.not.deep.equal([...first].sort((a, b) => a - b));
  });

  it("puts every image at every place equally often", () => {
    const counts = new Array<number>(8).fill(0);
    for (let epoch = 0; epoch < 4000; epoch++) {
      const [first] = batchIndices({ seed: 1, step: epoch * 8, batchSize: 1, count: 8 });
      counts[first!]!++;
    }
    // 500 expected, deviation 21: five deviations.
    for (const count of counts) expect(count).to.be.within(395, 605);
  });

  it("makes a batch larger than the data set", () => {
    expect(batchIndices({ seed: 0, step: 0, batchSize: 5, count: 2 })).to.have.length(5);
  });

  it("refuses impossible numbers", () => {
    expect(() => batchIndices({ seed: 0, step: 0, batchSize: 4, count: 0 })).to.throw(
      RangeError,
      "count must be",
    );
    expect(() => batchIndices({ seed: 0, step: -1, batchSize: 4, count: 2 })).to.throw(
      RangeError,
      "step must be",
    );
  });
});

describe("image sets", () => {
  it("hold resized bytes and give pixels by index", () => {
    const set = stackImages([createImage(8, 4, 1, [255, 0, 0]), createImage(2, 2, 3, [0, 255, 0])], 2, 2);
    expect(set.data).to.have.length(2 * 2 * 2 * 3);
    expect([...gatherPixels(set, [1, 0, 1])].slice(0, 24)).to.deep.equal([
      ...[-1, 1, -1, -1, 1, -1, -1, 1, -1, -1, 1, -1],
      ...new Array<number>(12).fill(1),
    ]);
    expect([...imageAt(set, 1).data.subarray(0, 3)]).to.deep.equal([0, 255, 0]);
    expect(() => gatherPixels(set, [2])).to.throw(RangeError, "no image 2 in a set of 2");
    expect(() => stackImages([], 1, 2)).to.throw(RangeError, "1 pictures were announced, but 0 came");
  });

  it("load a recorded data set as the published code does", function () {
    const folder = sharedOrSkip(this, "golden", "resize");
    const { train, test } = openDataset(join(folder, "mvtec"), { category: "synthetic" });
    const set = loadImages([...train, ...test], 64);
    const arrays = readNpz(join(folder, "resize.npz"));
    [...train, ...test].forEach(({ id }, i) => {
      const expected = entry(arrays, `dataset/synthetic/${id}|image`, Float32Array).data; // [3, 64, 64]
      const pixels = gatherPixels(set, [i]); // [1, 64, 64, 3]
      expect(pixels, id).to.deep.equal(pixels.map((_, k) => expected[(k % 3) * 4096 + Math.floor(k / 3)]!));
    });
  });

  it("report progress, and every picture that cannot be read", () => {
    files("p/a.png", ["p/b.png", "no picture"], "p/c.png", ["p/d.png", "none either"]);
    const found = findImages(join(root, "p"));
    const seen: number[] = [];
    expect(() => loadImages(found, 4, (done) => seen.push(done))).to.throw(
      DataError,
      /^.*b\.png is not a PNG file.*\n.*d\.png is not a PNG file.*$/,
    );
    expect(seen).to.deep.equal([1, 2, 3, 4]);
  });

  it("name a link to nothing", () => {
    files("p/a.png");
    symlinkSync(join(root, "gone.png"), join(root, "p/b.png"));
    expect(() => loadImages(findImages(join(root, "p")), 4)).to.throw(DataError, "b.png does not exist.");
  });

  it("load masks: any non-zero byte is a defect, good samples have none", () => {
    const truth = maskImage(Uint8Array.of(0, 0, 1, 0), 2, 2);
    files("a/train/good/0.png", "a/test/good/0.png", "a/test/bad/0.png", [
      "a/ground_truth/bad/0_mask.png",
      truth,
    ]);
    const { test } = open("a");
    expect(loadMasks(test, 2).map((mask) => [...mask])).to.deep.equal([
      [0, 0, 1, 0],
      [0, 0, 0, 0],
    ]);
    const [{ maskPath: _, ...bare }] = test as [Sample];
    expect(() => loadMasks([bare], 2)).to.throw(DataError, "test/bad/0.png has no mask.");
  });
});
