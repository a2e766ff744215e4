import { expect } from "chai";
import { imageAt, type NamedImages, stackImages } from "../src/data/imageSet.ts";
import { generateProcedural } from "../src/data/procedural/generate.ts";
import { createRandom } from "../src/data/procedural/noise.ts";
import { type ProceduralCategory, proceduralCategories } from "../src/data/procedural/scenes.ts";
import {
  layDefect,
  leastVisibleFraction,
  leastVisiblePixels,
  mostTries,
  type SyntheticKind,
  syntheticKinds,
  visibleChange,
} from "../src/data/synthetic/layDefect.ts";
import { syntheticTestSet } from "../src/data/synthetic/syntheticTestSet.ts";
import { DataError } from "../src/errors.ts";
import { createImage, type Image } from "../src/images/image.ts";
import { findRegions } from "../src/metrics/regions.ts";

const seed = 7;

/** Good images of a category, resized to any side. */
function goodImages(category: ProceduralCategory, size: number, count: number): NamedImages {
  const drawn = [...generateProcedural({ category, train: count, testGood: 0, testPerDefect: 0 })];
  const images = stackImages(
    drawn.map(({ image }) => image),
    count,
    size,
  );
  return { images, ids: drawn.map((_, i) => `${category}/${i}.png`) };
}

/** The images of a set, in another order. */
function pick({ images, ids }: NamedImages, order: readonly number[]): NamedImages {
  return {
    images: stackImages(
      order.map((index) => imageAt(images, index)),
      order.length,
      images.size,
    ),
    ids: order.map((index) => ids[index]!),
  };
}

/** The greatest change of every pixel. */
const changes = (before: Uint8Array, after: Uint8Array): number[] =>
  Array.from({ length: before.length / 3 }, (_, pixel) =>
    Math.max(...[0, 1, 2].map((k) => Math.abs(before[3 * pixel + k]! - after[3 * pixel + k]!))),
  );

const sum = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((total, value) => total + value, 0);

/** Every defective image by its id: bytes and mask. */
const defectsOf = (set: ReturnType<typeof syntheticTestSet>): Map<string, [number[], number[]]> =>
  new Map(
    set.samples.flatMap(({ id, label }, i) =>
      label ? [[id, [[...imageAt(set.images, i).data], [...set.masks[i]!]]] as const] : [],
    ),
  );

describe("syntheticTestSet", () => {
  const weave = goodImages("weave", 32, 6);

  it("gives the good images as they are, then the defective ones with their kinds and ids", () => {
    const before = weave.images.data.slice();
    const set = syntheticTestSet(weave, { seed });
    expect(set.samples.slice(0, 6)).to.deep.equal(weave.ids.map((id) => ({ id, label: 0, kind: "good" })));
    expect(set.samples.slice(6)).to.deep.equal(
      weave.ids.flatMap((id) => syntheticKinds.map((kind) => ({ id: `${id}#${kind}-0`, label: 1, kind }))),
    );
    expect(set.images).to.include({ count: 24, size: 32 });
    expect(set.images.data.subarray(0, before.length)).to.deep.equal(before);
    expect(weave.images.data).to.deep.equal(before);
    expect(set.masks.map((mask) => mask.length)).to.deep.equal(Array(24).fill(32 * 32));
    expect(sum(set.masks.slice(0, 6).map(sum))).to.equal(0);
    expect(set.category).to.equal("cutPaste, scar, perlin");
  });

  for (const size of [8, 13, 64]) {
    it(`shows every defect by an exact mask, at ${size} × ${size}, on every category`, () => {
      for (const category of proceduralCategories) {
        const good = goodImages(category, size, 3);
        const set = syntheticTestSet(good, { seed, perImage: 6 });
        for (const [i, { id, label }] of set.samples.entries()) {
          if (!label) continue;
          const source = good.ids.indexOf(id.split("#")[0]!);
          const changed = changes(imageAt(good.images, source).data, imageAt(set.images, i).data);
          const mask = set.masks[i]!;
          expect([...mask], id).to.deep.equal(changed.map((change) => Number(change > visibleChange)));
          expect([...mask], id).to.deep.equal(changed.map((change) => Number(change > 0)));
          expect(sum(mask), id).to.be.at.least(leastVisiblePixels);
          for (const region of findRegions(mask, size, size).sizes) {
            expect(region, id).to.be.at.least(leastVisiblePixels);
          }
        }
      }
    });
  }

  it("depends on the seed, and gives the same bytes again for the same one", () => {
    expect(syntheticTestSet(weave, { seed })).to.deep.equal(syntheticTestSet(weave, { seed }));
    const [one, other] = [seed, seed + 1].map((drawn) => defectsOf(syntheticTestSet(weave, { seed: drawn })));
    for (const [id, defect] of one!) expect(other!.get(id), id).to.not.deep.equal(defect);
  });

  it("lays different defects on equal images of different ids, and by different numbers", () => {
    const twice = { images: pick(weave, [0, 0]).images, ids: ["a", "b"] };
    const defects = [...defectsOf(syntheticTestSet(twice, { seed, perImage: 6 })).values()];
    const masks = defects.map(([, mask]) => mask.join(""));
    expect(new Set(masks)).to.have.lengthOf(12);
  });

  it("does not depend on the order of images, kinds or on how many defects there are", () => {
    const all = defectsOf(syntheticTestSet(weave, { seed, perImage: 6 }));
    const turned = syntheticTestSet(pick(weave, [3, 5, 0, 4, 2, 1]), {
      seed,
      kinds: ["perlin", "scar", "cutPaste"],
    });
    for (const [id, defect] of defectsOf(turned)) expect(all.get(id), id).to.deep.equal(defect);
  });

  it("takes nothing but textures from other images", () => {
    const all = defectsOf(syntheticTestSet(weave, { seed }));
    const fewer = defectsOf(syntheticTestSet(pick(weave, [0, 1, 2, 3]), { seed }));
    const kept: Record<SyntheticKind, number> = { cutPaste: 0, scar: 0, perlin: 0 };
    for (const [id, [bytes]] of fewer) {
      const kind = id.split("#")[1]!.split("-")[0] as SyntheticKind;
      kept[kind] += Number(all.get(id)![0].join() === bytes.join());
    }
    expect(kept).to.include({ cutPaste: 4, scar: 4 });
    // Of five textures, the one with the lowest hash is among the three that are left in three of five cases.
    expect(kept.perlin).to.be.within(1, 4);
  });

  it("fills Perlin patches from another image", () => {
    const size = 32;
    const gray = { width: size, height: size, channels: 3 as const };
    const checks = Uint8Array.from({ length: size * size * 3 }, (_, k) =>
      (Math.floor(k / 3 / size) + Math.floor(k / 3)) % 2 ? 60 : 20,
    );
    const images = stackImages(
      [createImage(size, size, 3, [220, 220, 220]), { ...gray, data: checks }],
      2,
      size,
    );
    const set = syntheticTestSet(
      { images, ids: ["bright", "dark"] },
      { seed, kinds: ["perlin"], perImage: 8 },
    );
    for (const [i, { id }] of set.samples.entries()) {
      if (!id.startsWith("bright#")) continue;
      const shown = [...imageAt(set.images, i).data].filter((_, k) => set.masks[i]![Math.floor(k / 3)]);
      // At most 100 after the change of contrast and brightness, of which a fifth at least shows.
      expect(Math.max(...shown), id).to.be.below(220 - (220 - 100) / 5 + 1);
    }
  });

  it("lets the kinds take turns where an image gets fewer defects than there are kinds", () => {
    const many = goodImages("tile", 16, 24);
    const { samples } = syntheticTestSet(many, { seed, perImage: 1 });
    expect(samples).to.have.lengthOf(48);
    expect(new Set(samples.map(({ kind }) => kind))).to.deep.equal(new Set(["good", ...syntheticKinds]));
    const four = syntheticTestSet(many, { seed, perImage: 4 }).samples.slice(24);
    for (const id of many.ids) {
      const kinds = four.filter((sample) => sample.id.startsWith(`${id}#`)).map(({ kind }) => kind);
      expect(new Set(kinds)).to.have.lengthOf(3);
      expect(kinds).to.have.lengthOf(4);
    }
  });

  it("takes a single image, whose own texture fills the patches", () => {
    const set = syntheticTestSet(pick(weave, [0]), { seed, kinds: ["perlin"] });
    expect(sum(set.masks[1]!)).to.be.at.least(leastVisiblePixels);
  });

  it("says what is wrong with what it is given", () => {
    const { images, ids } = weave;
    const attempt =
      (options: object, given: NamedImages = weave) =>
      () =>
        syntheticTestSet(given, { seed, ...options });
    expect(attempt({}, { images, ids: ids.slice(1) })).to.throw(RangeError, "6 images, but 5 ids");
    expect(attempt({ kinds: [] })).to.throw(RangeError, "kinds must be some of cutPaste, scar, perlin");
    expect(attempt({ kinds: ["scar", "scar"] })).to.throw(RangeError, "each once, but is [scar, scar]");
    expect(attempt({ kinds: ["dent"] })).to.throw(RangeError, "but is [dent]");
    expect(attempt({ perImage: 1.5 })).to.throw(RangeError, "perImage must be a whole number");
    const tiny = { images: stackImages([createImage(7, 7, 3)], 1, 7), ids: ["tiny"] };
    expect(attempt({}, tiny)).to.throw(RangeError, "needs 8 × 8 pixels to show a defect, but has 7 × 7");
  });
});

describe("layDefect", () => {
  const good = imageAt(goodImages("wood", 64, 1).images, 0);

  it("lays defects of sizes from few pixels to much of the image", () => {
    const areas = Array.from({ length: 60 }, (_, i) => {
      const { mask, tries } = layDefect(good, syntheticKinds[i % 3]!, createRandom(seed, i));
      expect(tries).to.be.within(1, mostTries);
      return sum(mask);
    });
    expect(Math.min(...areas)).to.be.below(0.005 * 64 * 64);
    expect(Math.max(...areas)).to.be.above(0.05 * 64 * 64);
  });

  it("draws again where less than half of a shape can be seen", () => {
    // Dots on flat ground: a rectangle of the same brightness shows by its dots alone, which are a sixteenth of it.
    const data = Uint8Array.from({ length: 64 * 64 * 3 }, (_, k) => {
      const pixel = Math.floor(k / 3);
      return pixel % 8 < 2 && Math.floor(pixel / 64) % 8 < 2 ? 200 : 128;
    });
    const dots: Image = { width: 64, height: 64, channels: 3, data };
    const drawn = Array.from({ length: 20 }, (_, i) => layDefect(dots, "cutPaste", createRandom(seed, i)));
    // The smallest rectangle is a fiftieth of the image, less what rounding its sides takes.
    const least = 0.9 * leastVisibleFraction * 0.02 * 64 * 64;
    for (const { mask } of drawn) expect(sum(mask)).to.be.at.least(least);
    expect(sum(drawn.map(({ tries }) => tries))).to.be.above(20);
  });

  it("prefers the object to the ground", () => {
    const size = 64;
    const data = createImage(size, size, 3, [200, 200, 200]).data;
    // A textured square of a sixteenth of the image.
    for (let y = 8; y < 24; y++) {
      for (let x = 40; x < 56; x++)
        data.fill((x + y) % 2 ? 40 : 90, 3 * (y * size + x), 3 * (y * size + x) + 3);
    }
    const image: Image = { width: size, height: size, channels: 3, data };
    const inside = Array.from({ length: 40 }, (_, i) => {
      const { mask } = layDefect(image, "scar", createRandom(seed, i));
      return Number(
        mask.some((value, p) => value && p % size >= 38 && p % size < 58 && p / size >= 6 && p / size < 26),
      );
    });
    expect(sum(inside)).to.be.at.least(32);
  });

  it("shows defects on an image of one colour by their brightness, whichever colour it is", () => {
    for (const level of [0, 128, 255]) {
      for (const kind of syntheticKinds) {
        const plain = createImage(16, 16, 3, [level, level, level]);
        expect(sum(layDefect(plain, kind, createRandom(seed)).mask), `${kind} ${level}`).to.be.at.least(4);
      }
    }
  });

  it("names the rule where no draw can be seen", () => {
    const plain = createImage(16, 16, 3, [128, 128, 128]);
    for (const kind of syntheticKinds) {
      // Every draw the same: neither contrast nor brightness changes.
      expect(() => layDefect(plain, kind, () => 0.5)).to.throw(
        DataError,
        `layDefect: ${kind} must change at least 4 pixels, and half of its shape, by more than 8 of 255, but none of 50 draws did`,
      );
    }
  });

  it("refuses images that are not square, RGB and of one size", () => {
    const random = createRandom(seed);
    expect(() => layDefect(createImage(64, 32, 3), "scar", random)).to.throw(RangeError, "64 × 32 with 3");
    expect(() => layDefect(createImage(64, 64, 1), "scar", random)).to.throw(RangeError, "64 × 64 with 1");
    expect(() => layDefect(good, "perlin", random, [createImage(32, 32, 3)])).to.throw(
      RangeError,
      "32 × 32 with 3 where 64 × 64 with 3 is expected",
    );
  });
});
