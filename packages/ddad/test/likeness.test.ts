/** Images that show nothing of what the model was trained on. */
import { expect } from "chai";
import { generateProcedural, render } from "../src/data/procedural/generate.ts";
import { createRandom } from "../src/data/procedural/noise.ts";
import { scenes } from "../src/data/procedural/scenes.ts";
import { describeImage } from "../src/detection/imageDescription.ts";
import { describeUnlikeness, fitLikeness, isFarBelow, likenessSchema } from "../src/detection/likeness.ts";
import { createImage, type Image } from "../src/images/image.ts";
import { resizeBilinear } from "../src/images/resize.ts";

const size = 32;

/** Gray noise around a level, as a dark sensor gives it. */
function noisy(level: number, amplitude: number): Image {
  const random = createRandom(1);
  const image = createImage(size, size, 3);
  for (let i = 0; i < image.data.length; i++) image.data[i] = level + (random() - 0.5) * amplitude;
  return image;
}

const dimmed = (image: Image, factor: number): Image => ({
  ...image,
  data: Uint8Array.from(image.data, (byte) => Math.round(byte * factor)),
});

describe("likeness", () => {
  const options = { category: "tile", size: 64, train: 22, testGood: 60, testPerDefect: 40 } as const;
  const samples = [...generateProcedural(options)].map((sample) => ({
    name: `${sample.kind}/${sample.index}`,
    split: sample.split,
    image: resizeBilinear(sample.image, size, size),
    description: describeImage(resizeBilinear(sample.image, size, size)),
  }));
  const heldOut = samples.filter(({ split }) => split === "train");
  const tested = samples.filter(({ split }) => split === "test");
  const fittedOn = (count: number) =>
    fitLikeness(heldOut.slice(0, count).map(({ description }) => description))!;

  for (const count of [6, 22]) {
    it(`accepts good and defective images, fitted on ${count}`, () => {
      const likeness = fittedOn(count);
      const wrong = tested
        .map(({ name, description }) => [name, describeUnlikeness(likeness, description)])
        .filter(([, reason]) => reason !== undefined);
      expect(wrong).to.deep.equal([]);
      expect(tested).to.have.length(60 + 4 * 40);
    });

    it(`refuses images without any part, fitted on ${count}`, () => {
      const likeness = fittedOn(count);
      const scene = scenes.tile(5);
      const belt = render({ ...scene, color: scene.behind }, undefined, 64).image;
      const without: Record<string, Image> = {
        "gray card": createImage(size, size, 3, [128, 128, 128]),
        white: createImage(size, size, 3, [255, 255, 255]),
        black: createImage(size, size, 3),
        "gray file": createImage(size, size, 1, [128, 128, 128]),
        "covered lens": noisy(10, 16),
        "empty belt": noisy(70, 24),
        "what lies behind": resizeBilinear(belt, size, size),
        "mean colour": createImage(
          size,
          size,
          3,
          likeness.means.map(({ mean }) => mean) as [number, number, number],
        ),
      };
      for (const [name, image] of Object.entries(without)) {
        expect(describeUnlikeness(likeness, describeImage(image)), name).to.be.a("string");
      }
    });
  }

  for (const category of ["weave", "wood", "gear"] as const) {
    it(`accepts good and defective images of ${category}, and refuses a gray card`, () => {
      const described = [
        ...generateProcedural({ ...options, category, testGood: 30, testPerDefect: 30 }),
      ].map(({ split, image }) => ({ split, description: describeImage(resizeBilinear(image, size, size)) }));
      const good = described.filter(({ split }) => split === "train");
      for (const count of [6, 22]) {
        const likeness = fitLikeness(good.slice(0, count).map(({ description }) => description))!;
        const reasons = described
          .filter(({ split }) => split === "test")
          .map(({ description }) => describeUnlikeness(likeness, description));
        expect(reasons.filter((reason) => reason !== undefined)).to.deep.equal([]);
        const card = describeImage(createImage(size, size, 3, [128, 128, 128]));
        expect(describeUnlikeness(likeness, card)).to.be.a("string");
      }
    });
  }

  it("sees another light, another colour and another layout", () => {
    const likeness = fittedOn(22);
    const { image } = [...generateProcedural({ ...options, train: 1, testGood: 0, testPerDefect: 0 })][0]!;
    const changed = (value: (byte: number, channel: number) => number): Image => ({
      ...image,
      data: Uint8Array.from(image.data, (byte, i) => Math.min(value(byte, i % 3), 255)),
    });
    const reason = (given: Image): string | undefined =>
      describeUnlikeness(likeness, describeImage(resizeBilinear(given, size, size)));
    expect(reason(image)).to.equal(undefined);
    expect(reason(changed((byte) => byte / 5))).to.match(/far lower/);
    expect(reason(changed((byte, c) => (c === 0 ? 255 - byte : byte)))).to.match(
      /red is far higher on average/,
    );
    const half = changed((byte) => byte);
    half.data.fill(0, 0, half.data.length / 2);
    expect(reason(half)).to.be.a("string");
  });

  it("sees that an image is out of focus among images of varied light, and accepts that light", () => {
    const [train, test] = [heldOut, tested].map((set, which) =>
      set.slice(0, 22).map(({ image }, i) => dimmed(image, 0.3 + ((7 * i + 3 * which) % 22) / 30)),
    ) as [Image[], Image[]];
    const likeness = fitLikeness(train.map(describeImage))!;
    const reasons = (images: Image[]) =>
      images.map((image) => describeUnlikeness(likeness, describeImage(image)));
    expect(reasons(test).filter((reason) => reason !== undefined)).to.deep.equal([]);
    const small = (image: Image): Image => resizeBilinear(resizeBilinear(image, 6, 6), size, size);
    expect(reasons(test.map(small)).every((reason) => reason !== undefined)).to.equal(true);
  });

  it("takes a wider limit where a held-out image lies far from the others", () => {
    const usual = heldOut.map(({ description }) => description);
    const dark = describeImage(dimmed(heldOut[3]!.image, 0.25));
    const narrow = fitLikeness(usual)!;
    expect(narrow.limits).to.deep.equal(new Array(12).fill(1));
    expect(describeUnlikeness(narrow, dark)).to.be.a("string");
    const wide = fitLikeness([...usual, dark])!;
    expect(wide.limits[6], "brightness").to.be.above(1.5);
    expect(describeUnlikeness(wide, dark)).to.equal(undefined);
  });

  it("is not fitted on fewer than four images, and is plain data", () => {
    expect(fitLikeness(heldOut.slice(0, 3).map(({ description }) => description))).to.equal(undefined);
    const likeness = fittedOn(4);
    expect(likenessSchema.parse(JSON.parse(JSON.stringify(likeness)))).to.deep.equal(likeness);
  });

  it("knows a score far below all good ones, and no other", () => {
    const scores = Array.from({ length: 22 }, (_, i) => 0.55 + i / 100);
    expect(isFarBelow(scores, 0.1)).to.equal(true);
    expect(isFarBelow(scores, 0)).to.equal(true);
    for (const score of [0.5, 0.65, 3]) expect(isFarBelow(scores, score), `${score}`).to.equal(false);
    expect(isFarBelow([0, 0.5, 0.6, 0.7], 0), "known by heart").to.equal(false);
    expect(isFarBelow([0.5, 0.6], 0.001), "too few").to.equal(false);
  });
});
