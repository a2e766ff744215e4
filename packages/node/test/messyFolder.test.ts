/** A folder as people have them is read: what can be, as a viewer shows it; what cannot, with a sentence each. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { openDataset } from "../src/datasets/dataset.ts";
import { describeDataset } from "../src/datasets/describe.ts";
import { findImages } from "../src/datasets/listing.ts";
import { loadImages } from "../src/datasets/load.ts";
import { readImage } from "../src/images/read.ts";
import { refuses } from "./datasetsTree.ts";
import { type MessyFolder, writeMessyFolder } from "./messyFolder.ts";

describe("a messy folder", () => {
  let folder: string;
  let messy: MessyFolder;
  before(async function () {
    this.timeout(60_000);
    folder = mkdtempSync(join(tmpdir(), "ddad-messy-"));
    messy = await writeMessyFolder(folder);
  });
  after(() => rmSync(folder, { recursive: true }));

  it("is a data set of good images: all but what is no image", () => {
    const { format, train, notices } = openDataset(folder);
    expect(format).to.equal("folder");
    const files = [...Object.keys(messy.readable), ...Object.keys(messy.unreadable)];
    expect(train.map(({ id }) => id)).to.have.members(files);
    expect(findImages(folder).map(({ id }) => id)).to.deep.equal(train.map(({ id }) => id));
    expect(notices).to.deep.equal([
      `the images in the sub-folders of ${folder} (other camera) are taken as good ones, too`,
    ]);
  });

  it("gives each image as a viewer shows it, and a sentence for each that cannot be read", async function () {
    this.timeout(60_000);
    for (const [name, { width, height }] of Object.entries(messy.readable)) {
      const image = await readImage(join(folder, name));
      expect([image.width, image.height], name).to.deep.equal([width, height]);
      // Brighter at the top left, as they were made; the frames of an animation are of one colour.
      const at = (x: number, y: number): number =>
        image.data[(Math.floor(y * height) * width + Math.floor(x * width)) * image.channels]!;
      if (name.startsWith("animated")) continue;
      const darker = name.startsWith("phone") ? [0.25, 0.25] : [0.75, 0.75];
      const brighter = name.startsWith("phone") ? [0.75, 0.25] : [0.25, 0.25];
      expect(at(brighter[0]!, brighter[1]!), name).to.be.greaterThan(at(darker[0]!, darker[1]!) + 20);
    }
    for (const [name, reason] of Object.entries(messy.unreadable)) {
      await refuses(readImage(join(folder, name)), reason);
    }
  });

  it("is loaded without what cannot be read, with notices", async function () {
    this.timeout(60_000);
    const { train } = openDataset(folder);
    await refuses(loadImages(train, 16), "skip them with --skip-unreadable");
    const notices: string[] = [];
    const set = await loadImages(train, 16, {
      skipUnreadable: true,
      onNotice: (message) => notices.push(message),
    });
    expect(set.files.map(({ id }) => id)).to.have.members(Object.keys(messy.readable));
    expect(notices.filter((message) => message.startsWith("left out: "))).to.have.length(5);
    expect(notices).to.include("and 1 more files that cannot be read are left out");
    expect(notices).to.include(`${join(folder, "animated.webp")} has 3 frames: the first is used`);
    expect(notices).to.include(`${join(folder, "animated.gif")} has 3 frames: the first is used`);
  });

  it("is described: unreadable files, frames, shapes and sizes", async function () {
    this.timeout(60_000);
    const { problems } = await describeDataset(folder, { imageSize: 64, heldOut: 0.1 });
    for (const [name, reason] of Object.entries(messy.unreadable)) {
      expect(
        problems.some((text) => text.includes(`${name} ${reason}`)),
        name,
      ).to.equal(true);
    }
    expect(problems.some((text) => text.startsWith("3 images are not square (such as "))).to.equal(true);
    expect(problems.some((text) => text.startsWith("The images have 5 sizes"))).to.equal(true);
    expect(
      problems.some((text) => text.startsWith("1 image is much larger than data.imageSize (6000 × 4000)")),
    ).to.equal(true);
  });
});
