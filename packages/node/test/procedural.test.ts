import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { defectKinds, defects } from "../../ddad/src/data/procedural/defects.ts";
import {
  generateProcedural,
  type ProceduralSample,
  render,
} from "../../ddad/src/data/procedural/generate.ts";
import { createRandom } from "../../ddad/src/data/procedural/noise.ts";
import {
  type ProceduralCategory,
  proceduralCategories,
  scenes,
} from "../../ddad/src/data/procedural/scenes.ts";
import { DataError } from "../../ddad/src/errors.ts";
import { openDataset } from "../src/datasets/dataset.ts";
import { loadMasks } from "../src/datasets/load.ts";
import { writeProcedural } from "../src/datasets/writeProcedural.ts";

const generate = (category: ProceduralCategory, options = {}): ProceduralSample[] => [
  ...generateProcedural({ category, size: 32, train: 3, testGood: 2, testPerDefect: 3, ...options }),
];

describe("procedural data set", () => {
  it("has three textures, an object, and four kinds of defects", () => {
    expect(proceduralCategories).to.deep.equal(["weave", "wood", "tile", "gear"]);
    expect(defectKinds).to.deep.equal(["scratch", "spot", "missing", "stain"]);
  });

  for (const category of proceduralCategories) {
    describe(category, () => {
      const samples = generate(category);

      it("has the counts asked for", () => {
        const counts = new Map<string, number>();
        for (const { split, kind } of samples)
          counts.set(`${split}/${kind}`, (counts.get(`${split}/${kind}`) ?? 0) + 1);
        expect(Object.fromEntries(counts)).to.deep.equal({
          "train/good": 3,
          "test/good": 2,
          "test/scratch": 3,
          "test/spot": 3,
          "test/missing": 3,
          "test/stain": 3,
        });
      });

      it("is the same for the same seed, another for another", () => {
        expect(generate(category, { train: 2, testGood: 0, testPerDefect: 0 })).to.deep.equal(
          samples.slice(0, 2),
        );
        const [other] = generate(category, { seed: 1, train: 1, testGood: 0, testPerDefect: 0 });
        expect(other!.image.data).to.not.deep.equal(samples[0]!.image.data);
      });

      it("never shows the same image twice", () => {
        expect(new Set(samples.map(({ image }) => image.data.join())).size).to.equal(samples.length);
      });

      it("has a mask of sensible size with every defect and none without", () => {
        for (const { kind, index, mask } of samples) {
          if (kind === "good") {
            expect(mask).to.equal(undefined);
            continue;
          }
          const share = mask!.data.filter((value) => value === 255).length / mask!.data.length;
          expect(share, `${kind} ${index}`).to.be.within(0.002, 0.12);
          expect(mask!.data.every((value) => value === 0 || value === 255)).to.equal(true);
        }
      });

      for (const kind of defectKinds) {
        it(`changes what the mask of a ${kind} covers, and nothing away from it`, () => {
          for (let seed = 0; seed < 4; seed++) {
            const scene = scenes[category](seed);
            const defect = defects[kind](scene, createRandom(seed), 48);
            const good = render(scene, undefined, 48).image.data;
            const { image, mask } = render(scene, defect, 48);
            const difference = (pixel: number): number =>
              [0, 1, 2].reduce(
                (sum, c) => sum + Math.abs(image.data[pixel * 3 + c]! - good[pixel * 3 + c]!),
                0,
              ) / 3;
            const inMask = [...mask!.data.keys()].filter((pixel) => mask!.data[pixel] === 255);
            expect(inMask, `seed ${seed}`).to.not.have.length(0);
            const mean = inMask.reduce((sum, pixel) => sum + difference(pixel), 0) / inMask.length;
            expect(mean, `mean change in the mask, seed ${seed}`).to.be.greaterThan(20);
            for (const pixel of mask!.data.keys()) {
              // A sliver of less than a tenth of a pixel may go unmarked.
              if (!nearMask(mask!.data, 48, pixel)) expect(difference(pixel)).to.be.below(0.1 * 255);
            }
          }
        });
      }
    });
  }

  it("can be drawn at its smallest and largest size", () => {
    for (const size of [32, 256]) {
      const [sample] = generate("gear", { size, train: 1, testGood: 0, testPerDefect: 0 });
      expect(sample!.image.data).to.have.length(size * size * 3);
    }
  });

  it("refuses impossible options", () => {
    const refuse = (options: object): Chai.Assertion =>
      expect(() => generate("gear", options)).to.throw(RangeError);
    refuse({ category: "cheese" })
      .with.property("message")
      .that.includes("there are weave, wood, tile, gear.");
    refuse({ size: 31 }).with.property("message").that.includes("from 32 to 256, but is 31");
    refuse({ train: -1 }).with.property("message").that.includes("train must be");
  });

  it("is written in the MVTec layout and read back", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ddad-procedural-"));
    try {
      const root = writeProcedural(folder, {
        category: "tile",
        size: 32,
        train: 2,
        testGood: 1,
        testPerDefect: 1,
      });
      expect(root).to.equal(join(folder, "tile"));
      expect(() => writeProcedural(folder, { category: "tile" })).to.throw(
        DataError,
        "tile is not empty; remove it",
      );
      const { train, test } = openDataset(folder, { category: "tile" });
      expect(train).to.have.length(2);
      expect(test.map(({ kind }) => kind)).to.deep.equal(["good", "missing", "scratch", "spot", "stain"]);
      const masks = await loadMasks(test, 32);
      expect(masks.map((mask) => mask.includes(1))).to.deep.equal([false, true, true, true, true]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** Whether the pixel or one of its eight neighbours is marked. */
function nearMask(mask: Uint8Array, size: number, pixel: number): boolean {
  const [x, y] = [pixel % size, Math.floor(pixel / size)];
  for (let j = Math.max(y - 1, 0); j <= Math.min(y + 1, size - 1); j++) {
    for (let i = Math.max(x - 1, 0); i <= Math.min(x + 1, size - 1); i++) {
      if (mask[j * size + i]) return true;
    }
  }
  return false;
}
