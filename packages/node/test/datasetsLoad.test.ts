import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { gatherPixels, imageAt, stackImages } from "../../ddad/src/data/imageSet.ts";
import type { Sample } from "../../ddad/src/data/sample.ts";
import { DataError } from "../../ddad/src/errors.ts";
import { createImage } from "../../ddad/src/images/image.ts";
import { maskImage } from "../../ddad/src/images/mask.ts";
import { entry, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { openDataset } from "../src/datasets/dataset.ts";
import { findImages } from "../src/datasets/listing.ts";
import { loadImages, loadMasks } from "../src/datasets/load.ts";
import { refuses, Tree } from "./datasetsTree.ts";

let tree: Tree;
beforeEach(() => {
  tree = new Tree();
});
afterEach(() => tree.remove());

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
    expect(() => stackImages([], 1, 2)).to.throw(RangeError, "1 images were announced, but 0 came");
  });

  it("load a recorded data set as the published code does", async function () {
    const folder = sharedOrSkip(this, "golden", "resize");
    const { train, test } = openDataset(join(folder, "mvtec"), { category: "synthetic" });
    const set = await loadImages([...train, ...test], 64);
    const arrays = readNpz(join(folder, "resize.npz"));
    [...train, ...test].forEach(({ id }, i) => {
      const expected = entry(arrays, `dataset/synthetic/${id}|image`, Float32Array).data; // [3, 64, 64]
      const pixels = gatherPixels(set, [i]); // [1, 64, 64, 3]
      expect(pixels, id).to.deep.equal(pixels.map((_, k) => expected[(k % 3) * 4096 + Math.floor(k / 3)]!));
    });
  });

  it("report progress, and every image that cannot be read", async () => {
    tree.write("p/a.png", ["p/b.png", "no image"], "p/c.png", ["p/d.jpg", ""]);
    const seen: number[] = [];
    await refuses(
      loadImages(findImages(tree.path("p")), 4, { progress: (done) => seen.push(done) }),
      /^.*b\.png is not an image that can be read: it must be PNG, JPEG, .*\.\n.*d\.jpg is empty: .*\.\nRepair or remove these files, or skip them with --skip-unreadable \(option skipUnreadable\)\.$/,
    );
    expect(seen).to.deep.equal([1, 2, 3, 4]);
  });

  it("leave out what cannot be read where asked to, with five notices and a count", async () => {
    const good = createImage(4, 4, 1, [7, 7, 7]);
    for (let i = 0; i < 7; i++)
      tree.write([`p/${i}.png`, i === 3 ? good : "no image"], [`p/${i}b.png`, good]);
    const notices: string[] = [];
    const options = { skipUnreadable: true, onNotice: (message: string) => notices.push(message) };
    const set = await loadImages(findImages(tree.path("p")), 4, options);
    expect(set.files.map(({ id }) => id)).to.deep.equal([
      ...["0b.png", "1b.png", "2b.png", "3.png", "3b.png", "4b.png", "5b.png", "6b.png"],
    ]);
    expect([set.count, set.data.length]).to.deep.equal([8, 8 * 48]);
    expect(new Set(set.data)).to.deep.equal(new Set([7]));
    expect(notices).to.have.length(6);
    expect(notices[0]).to.equal(
      `left out: ${tree.path("p/0.png")} is not an image that can be read: it must be PNG, JPEG, BMP, TIFF, WebP or GIF.`,
    );
    expect(notices[5]).to.equal("and 1 more files that cannot be read are left out");
    tree.write(["q/0.png", "no image"]);
    await refuses(loadImages(findImages(tree.path("q")), 4, options), "None of the images can be read.");
  });

  it("name a link to nothing", async () => {
    tree.write("p/a.png");
    symlinkSync(tree.path("gone.png"), tree.path("p/b.png"));
    await refuses(loadImages(findImages(tree.path("p")), 4), "b.png does not exist.");
  });

  it("say what to do when they do not fit in memory", async () => {
    tree.write("p/a.png");
    const files = Array.from({ length: 1000 }, () => findImages(tree.path("p"))).flat();
    const sentence =
      "1000 images of 65536 × 65536 need 12000 GiB of memory, more than there is room for; " +
      "lower data.imageSize (half of it needs a quarter), or take fewer images.";
    await refuses(loadImages(files, 65536), sentence);
    expect(() => stackImages([], 1000, 65536)).to.throw(DataError, sentence);
  });

  it("load masks: any non-zero byte is a defect, good samples have none, any size is resized", async () => {
    const truth = maskImage(Uint8Array.of(0, 0, 1, 0), 2, 2);
    tree.write("a/train/good/0.png", "a/test/good/0.png", "a/test/bad/0.png", "a/test/bad/1.png");
    tree.write(["a/ground_truth/bad/0_mask.png", truth], ["a/ground_truth/bad/1.png", createImage(9, 3, 1)]);
    const { test } = openDataset(tree.path("a"));
    expect((await loadMasks(test, 2)).map((mask) => [...mask])).to.deep.equal([
      [0, 0, 1, 0],
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ]);
    const [{ maskPath: _, ...bare }] = test as [Sample];
    await refuses(loadMasks([bare], 2), "test/bad/0.png has no mask.");
    await refuses(loadMasks([{ ...bare, maskPath: "m.jpg" }], 2), "m.jpg is a JPEG, which does not keep");
  });
});
