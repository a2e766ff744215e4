import { expect } from "chai";
import { ddad } from "../../cli/test/commandLine.ts";
import { createImage } from "../../ddad/src/images/image.ts";
import { maskImage } from "../../ddad/src/images/mask.ts";
import { describeDataset } from "../src/datasets/describe.ts";
import { refuses, Tree } from "./datasetsTree.ts";

describe("describeDataset", () => {
  let tree: Tree;
  beforeEach(() => {
    tree = new Tree();
  });
  afterEach(() => tree.remove());

  const mask = maskImage(
    Uint8Array.from({ length: 16 }, (_, i) => Number(i === 5)),
    4,
    4,
  );

  const sound = (): void => {
    for (let i = 0; i < 6; i++) tree.write(`a/train/good/${i}.png`);
    tree.write("a/test/good/0.png", "a/test/bent/0.png", ["a/ground_truth/bent/0.png", mask]);
  };

  it("counts what a sound data set holds", async () => {
    sound();
    tree.write(["a/train/good/6.png", createImage(8, 2, 1)]);
    const seen: number[] = [];
    const options = { heldOut: 0.1, batchSize: 5, progress: (done: number) => seen.push(done) };
    expect(await describeDataset(tree.path("a"), options)).to.deep.equal({
      name: "a",
      format: "mvtec",
      counts: [
        { split: "train", kind: "good", images: 5, masks: 0 },
        { split: "heldOut", kind: "good", images: 2, masks: 0 },
        { split: "test", kind: "good", images: 1, masks: 0 },
        { split: "test", kind: "bent", images: 1, masks: 1 },
      ],
      sizes: [
        { width: 4, height: 4, images: 8 },
        { width: 8, height: 2, images: 1 },
      ],
      problems: [],
    });
    expect(seen).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("tells everything that is wrong, one sentence each", async () => {
    tree.write(
      ["a/train/good/0.png", "no image"],
      "a/test/bent/0.png",
      "a/test/bent/1.png",
      "a/test/bent/2.png",
    );
    tree.write(["a/ground_truth/bent/0.png", createImage(2, 2, 1)], ["a/ground_truth/bent/9.png", mask]);
    tree.write(["a/ground_truth/bent/2.png", "no mask"]);
    const { problems } = await describeDataset(tree.path("a"), { heldOut: 0.1, batchSize: 4 });
    expect(problems).to.deep.equal([
      `${tree.path("a/train/good/0.png")} is not an image that can be read: it must be PNG, JPEG, BMP, TIFF, WebP or GIF.`,
      `${tree.path("a/ground_truth/bent/2.png")} is not an image that can be read: it must be PNG, JPEG, BMP, TIFF, WebP or GIF.`,
      "1 defective images have no mask, but others have: test/bent/1.png.",
      `1 masks belong to no image: ${tree.path("a/ground_truth/bent/9.png")}.`,
      "1 masks of defective images show nothing: test/bent/0.png.",
      "1 masks are of another size than their images, and are resized: test/bent/0.png.",
      "There are 1 images to train on, fewer than a batch of 4: every step sees some more than once.",
      "0 good images are held out, but a threshold needs two.",
    ]);
    tree.write("b/0.png");
    expect((await describeDataset(tree.path("b"))).problems).to.deep.equal([
      "There are no test images, so nothing can be evaluated.",
    ]);
    tree.write("b/test/bad/0.png", ["m.csv", "image,label,split\nb/0.png,good,train\nb/9.png,bad,test"]);
    expect((await describeDataset(tree.path("b"))).problems).to.deep.equal([
      "There are no masks, so there are no pixel metrics.",
    ]);
    expect((await describeDataset(tree.path("m.csv"))).problems[0]).to.equal(
      `${tree.path("b/9.png")} does not exist.`,
    );
    await refuses(describeDataset(tree.path("nowhere")), "nowhere does not exist");
  });

  it("says what resizing does to images that are not square, differ in size or are large", async () => {
    sound();
    tree.write(["a/train/good/6.png", createImage(80, 40, 1)], ["a/train/good/7.png", createImage(6, 4, 1)]);
    expect((await describeDataset(tree.path("a"), { imageSize: 8 })).problems).to.deep.equal([
      "2 images are not square (such as 80 × 40) and are squashed to 8 × 8, each by its own ratio; crop them to squares if shapes matter.",
      "The images have 3 sizes, but all are resized to 8 × 8: the same part must have the same size in all of them.",
      "1 image is much larger than data.imageSize (80 × 40): 10 of their pixels become one, so smaller defects vanish; crop them to the part, or raise data.imageSize.",
    ]);
  });

  it("counts the validation images of a data set as held out", async () => {
    sound();
    tree.write("a/validation/good/0.png", "a/validation/good/1.png");
    const { format, counts } = await describeDataset(tree.path("a"), { heldOut: 0.1 });
    expect(format).to.equal("mvtec-loco");
    expect(counts.slice(0, 2)).to.deep.equal([
      { split: "train", kind: "good", images: 6, masks: 0 },
      { split: "heldOut", kind: "good", images: 2, masks: 0 },
    ]);
  });

  it("is shown by ddad doctor --data", async () => {
    sound();
    const { code, output, errors } = await ddad("doctor", "--data", tree.path("a"));
    expect(code, errors).to.equal(0);
    expect(output).to.match(/self-test +matrix product right/);
    expect(output).to.match(/data set a, layout mvtec\nsplit +kind +images +masks\n/);
    expect(output).to.match(/\ntest +bent +1 +1\nsizes: 4 × 4 \(8\)\nThere are 4 images to train on, fewer/);
    const args = ["doctor", "--json", "--data", tree.path("a"), "--set", "training.batchSize=4"];
    const { data } = JSON.parse((await ddad(...args)).output) as { data: { problems: string[] } };
    expect(data.problems).to.deep.equal([]);
    expect(JSON.parse((await ddad("doctor", "--json")).output)).to.not.have.property("data");
  });
});
