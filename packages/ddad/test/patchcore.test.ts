/** Patches against plain loops, and PatchCore finding what was planted. */
import { CheckpointError, ResNet, readSafetensors, type Tensor, tensor, writeSafetensors } from "@ddad/nn";
import { expect } from "chai";
import { largestDifference } from "../../nn/test/golden.ts";
import { gatherPixels, type ImageSet, imageAt } from "../src/data/imageSet.ts";
import { uniform } from "../src/data/random.ts";
import { falseAlarmThreshold } from "../src/detection/falseAlarms.ts";
import type { Extractor } from "../src/detection/features.ts";
import type { Inspection } from "../src/detection/inspect.ts";
import { MemoryBank } from "../src/patchcore/memoryBank.ts";
import { type FitOptions, PatchCore } from "../src/patchcore/patchcore.ts";
import { patchFeatures } from "../src/patchcore/patches.ts";
import { imageScore } from "../src/patchcore/score.ts";

type Grid = {
  readonly values: Float64Array;
  readonly side: readonly [number, number];
  readonly channels: number;
};

/** An extractor whose stages are given. */
const recorded = (stages: Record<string, Tensor>): Extractor => ({ features: () => stages as never });

const image = () => tensor(new Float32Array(3), [1, 1, 1, 3]);

/** 3×3 means, zeros around them counted, of neighbouring channels in `groups`. */
function means({ values, side: [height, width], channels }: Grid, groups: number): Grid {
  const each = channels / groups;
  const result = new Float64Array(height * width * groups);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let dy = -1; dy <= 1; dy++)
        for (let dx = -1; dx <= 1; dx++) {
          if (y + dy < 0 || y + dy >= height || x + dx < 0 || x + dx >= width) continue;
          for (let c = 0; c < channels; c++) {
            const value = values[((y + dy) * width + x + dx) * channels + c]!;
            result[(y * width + x) * groups + Math.floor(c / each)]! += value / 9 / each;
          }
        }
  return { values: result, side: [height, width], channels: groups };
}

/** Bilinear between the centres of pixels. */
function enlarged({ values, side, channels }: Grid, to: readonly [number, number]): Grid {
  const result = new Float64Array(to[0] * to[1] * channels);
  const along = (axis: 0 | 1, i: number) => {
    const at = Math.max(((i + 0.5) * side[axis]) / to[axis] - 0.5, 0);
    const low = Math.floor(at);
    return { low, high: Math.min(low + 1, side[axis] - 1), part: at - low };
  };
  for (let y = 0; y < to[0]; y++)
    for (let x = 0; x < to[1]; x++)
      for (let c = 0; c < channels; c++) {
        const [v, h] = [along(0, y), along(1, x)];
        const value = (row: number, column: number) => values[(row * side[1] + column) * channels + c]!;
        const top = value(v.low, h.low) * (1 - h.part) + value(v.low, h.high) * h.part;
        const bottom = value(v.high, h.low) * (1 - h.part) + value(v.high, h.high) * h.part;
        result[(y * to[1] + x) * channels + c] = top * (1 - v.part) + bottom * v.part;
      }
  return { values: result, side: to, channels };
}

describe("patchFeatures", () => {
  const grid = (side: readonly [number, number], channels: number, seed: number): Grid => ({
    values: Float64Array.from({ length: side[0] * side[1] * channels }, (_, i) =>
      Math.fround(uniform(seed, i) - 0.3),
    ),
    side,
    channels,
  });
  const tensorOf = ({ values, side, channels }: Grid) => tensor(values, [1, ...side, channels]);

  it("joins means of both stages on the first one's grid, channels averaged to as many", async () => {
    const [fine, coarse] = [grid([7, 5], 6, 1), grid([4, 3], 12, 2)];
    const extractor = recorded({ layer2: tensorOf(fine), layer3: tensorOf(coarse) });
    const patches = patchFeatures(extractor, image());
    expect(patches.shape).to.deep.equal([1, 7, 5, 12]);
    const [a, b] = [means(fine, 6), enlarged(means(coarse, 6), [7, 5])];
    const expected = Float64Array.from({ length: 7 * 5 * 12 }, (_, i) => {
      const [position, c] = [Math.floor(i / 12), i % 12];
      return c < 6 ? a.values[position * 6 + c]! : b.values[position * 6 + c - 6]!;
    });
    expect(largestDifference(await patches.data(), expected)).to.be.below(1e-6);
  });

  it("joins all channels of both stages", async () => {
    const [fine, coarse] = [grid([6, 4], 2, 1), grid([3, 2], 5, 2)];
    const extractor = recorded({ layer2: tensorOf(fine), layer3: tensorOf(coarse) });
    const patches = patchFeatures(extractor, image(), ["layer2", "layer3"], "all");
    expect(patches.shape).to.deep.equal([1, 6, 4, 7]);
    const [a, b] = [means(fine, 2), enlarged(means(coarse, 5), [6, 4])];
    const expected = Float64Array.from({ length: 6 * 4 * 7 }, (_, i) => {
      const [position, c] = [Math.floor(i / 7), i % 7];
      return c < 2 ? a.values[position * 2 + c]! : b.values[position * 5 + c - 2]!;
    });
    expect(largestDifference(await patches.data(), expected)).to.be.below(1e-6);
  });

  it("takes one stage of one position", async () => {
    const extractor = recorded({ layer3: tensor([1, 2, 3], [1, 1, 1, 3]) });
    const patches = await patchFeatures(extractor, image(), ["layer3"]).data();
    expect(largestDifference(patches, Float32Array.of(1 / 9, 2 / 9, 3 / 9))).to.be.below(1e-7);
  });

  it("refuses channels that do not divide, and no layers", () => {
    const extractor = recorded({
      layer2: tensorOf(grid([2, 2], 4, 1)),
      layer3: tensorOf(grid([1, 1], 6, 2)),
    });
    expect(() => patchFeatures(extractor, image())).to.throw(/6 channels cannot be averaged .* to 4/);
    expect(() => patchFeatures(extractor, image(), [])).to.throw(/no layer to take patches from/);
  });
});

describe("PatchCore", () => {
  const size = 64;
  const net = { block: "basic", layers: [1, 1, 1], baseChannels: 8, lastLayer: "layer3", seed: 3 } as const;
  let extractor: ResNet;
  before(() => {
    extractor = new ResNet(net).eval();
  });
  after(() => extractor.dispose());

  /** Images of stripes with a little grain; those asked for have a light square of 12 pixels at (40, 16). */
  function stripes(count: number, seed: number, planted: (image: number) => boolean = () => false): ImageSet {
    const data = Uint8Array.from({ length: count * size * size * 3 }, (_, i) => {
      const [index, pixel] = [Math.floor(i / (size * size * 3)), Math.floor(i / 3) % (size * size)];
      const [x, y] = [pixel % size, Math.floor(pixel / size)];
      if (planted(index) && x >= 40 && x < 52 && y >= 16 && y < 28) return 230;
      const phase = 2 * Math.PI * uniform(seed, index);
      return 100 + 40 * Math.sin(x / 3 + phase) + 20 * uniform(seed, index, pixel);
    });
    return { count, size, data };
  }

  const idsOf = ({ count }: ImageSet) => Array.from({ length: count }, (_, i) => `${i}.png`);
  const fit = (options: FitOptions = {}) => PatchCore.fit(extractor, stripes(12, 1), options);

  async function inspectAll(patchCore: PatchCore, images: ImageSet): Promise<Inspection[]> {
    const found: Inspection[] = [];
    for await (const inspection of patchCore.inspect({ images, ids: idsOf(images) })) found.push(inspection);
    return found;
  }

  it("says the same of images that come one after the other", async () => {
    using patchCore = await fit();
    const images = stripes(3, 5, (index) => index === 1);
    const source = idsOf(images).map((id, index) => ({ id, pixels: gatherPixels(images, [index]) }));
    const found: Inspection[] = [];
    for await (const inspection of patchCore.inspect(source)) found.push(inspection);
    expect(found).to.deep.equal(await inspectAll(patchCore, images));
  });

  it("scores an image NaN whose features are, and does not pick a patch of it", async () => {
    const far = Float32Array.of(1, Number.NaN, 2);
    const unreachable = async (): Promise<Float32Array> => expect.fail("asked for a patch");
    using patchCore = await fit();
    expect(await imageScore(patchCore.bank, far, unreachable, 9)).to.be.NaN;
    expect(await imageScore(patchCore.bank, Float32Array.of(1, Infinity), unreachable, 9)).to.equal(Infinity);
  });

  for (const neighbours of [1, 9]) {
    it(`tells planted squares from good images, and where they are, by ${neighbours} neighbours`, async () => {
      using patchCore = await fit({ neighbours });
      const good = stripes(8, 2);
      const threshold = falseAlarmThreshold(await patchCore.scores({ images: good, ids: idsOf(good) }), 0.01);
      const images = stripes(8, 3, (index) => index % 2 === 1);
      const found = await inspectAll(patchCore, images);
      expect(found.map(({ score }) => score >= threshold)).to.deep.equal(
        found.map((_, index) => index % 2 === 1),
      );
      for (const { map, mapSize } of found.filter((_, index) => index % 2 === 1)) {
        expect([mapSize, map.length]).to.deep.equal([size, size * size]);
        const at = map.indexOf(map.reduce((a, b) => Math.max(a, b)));
        expect(at % size, "column").to.be.within(36, 55);
        expect(Math.floor(at / size), "row").to.be.within(12, 31);
      }
    });
  }

  it("says the same of an image whether it is inspected alone or with others, in any order", async () => {
    using patchCore = await fit({ fraction: 0.05 });
    const images = stripes(4, 5, (index) => index === 2);
    const together = await inspectAll(patchCore, images);
    for (const order of [[2], [3, 2, 0, 1]]) {
      const data = Uint8Array.from(order.flatMap((index) => [...imageAt(images, index).data]));
      const found = await inspectAll(patchCore, { count: order.length, size, data });
      order.forEach((index, k) => {
        expect(found[k]).to.deep.equal({ ...together[index]!, id: `${k}.png` });
      });
    }
  });

  it("fills the same bank for a seed, whether patches are remembered or recomputed", async () => {
    const told = new Map<string, number[]>();
    using first = await fit({
      seed: 4,
      projected: 8,
      progress: (stage, done, count) => void told.set(stage, [done, count]),
    });
    using again = await fit({ seed: 4, projected: 8, cacheBytes: 0 });
    using other = await fit({ seed: 5, projected: 8 });
    expect(again.bank.values).to.deep.equal(first.bank.values);
    expect(other.bank.values).to.not.deep.equal(first.bank.values);
    expect(Object.fromEntries(told)).to.deep.equal({ patches: [12, 12], coreset: [77, 77], bank: [12, 12] });
  });

  it("keeps the share asked for, and no more than the most allowed", async () => {
    using share = await fit({ fraction: 0.1 });
    expect([share.bank.size, share.bank.dimension]).to.deep.equal([77, 32]); // of 12 · 8 · 8
    using few = await fit({ fraction: 0.1, maxPatches: 5 });
    expect(few.bank.values).to.deep.equal(share.bank.values.slice(0, 5 * 32));
    using one = await fit({ fraction: 1e-9 });
    expect(one.bank.size).to.equal(1);
  });

  it("finds nothing new in the images that filled the bank", async () => {
    const images = stripes(2, 1);
    using patchCore = await PatchCore.fit(extractor, images, { fraction: 1 });
    using none = await PatchCore.fit(extractor, stripes(2, 9), { fraction: 1 });
    const [known, fresh] = [await inspectAll(patchCore, images), await inspectAll(none, images)];
    for (const k of [0, 1]) expect(known[k]!.score).to.be.below(0.02 * fresh[k]!.score);
  });

  it("is restored from its state, with the stages that filled its bank", async () => {
    using patchCore = await fit({ neighbours: 3, layers: ["layer1", "layer2"] });
    const state = readSafetensors(writeSafetensors(patchCore.stateDict()));
    expect(state.get("bank")?.shape).to.deep.equal([patchCore.bank.size, 16]);
    using restored = PatchCore.fromState(extractor, state, { neighbours: 3 });
    expect(restored.settings).to.deep.equal(patchCore.settings);
    const images = stripes(2, 6, (index) => index === 1);
    expect(await inspectAll(restored, images)).to.deep.equal(await inspectAll(patchCore, images));
  });

  it("keeps in its state whether patches hold all channels; a state without a word of it has averaged ones", async () => {
    const images = stripes(2, 6, (index) => index === 1);
    for (const [channels, dimension] of [
      ["all", 48],
      ["equal", 32],
    ] as const) {
      using patchCore = await fit({ channels });
      expect(patchCore.bank.dimension).to.equal(dimension);
      const state = new Map(patchCore.stateDict());
      if (channels === "equal") state.delete("allChannels");
      using restored = PatchCore.fromState(extractor, state);
      expect(restored.settings).to.deep.equal(patchCore.settings);
      expect(await inspectAll(restored, images)).to.deep.equal(await inspectAll(patchCore, images));
    }
  });

  it("blurs and crops the map as asked", async () => {
    using patchCore = await fit();
    const images = stripes(1, 7, () => true);
    const [whole] = await inspectAll(patchCore, images);
    for await (const { map, mapSize, score } of patchCore.inspect(
      { images, ids: ["a.png"] },
      { blurSigma: 0, crop: 48 },
    )) {
      expect([mapSize, map.length, score]).to.deep.equal([48, 48 * 48, whole!.score]);
      expect(Math.max(...map)).to.be.above(Math.max(...whole!.map));
    }
  });

  it("refuses what does not fit together", async () => {
    using patchCore = await fit({ maxPatches: 3 });
    const state = patchCore.stateDict();
    using other = new PatchCore(extractor, new MemoryBank(patchCore.bank.values, 32), {
      layers: ["layer1"],
      neighbours: 9,
    });
    const message = async (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => "",
        (error: Error) => error.message,
      );
    expect(await message(inspectAll(other, stripes(1, 1)))).to.match(
      /the bank holds patches of 32 numbers, but this network gives 8/,
    );
    expect(() => PatchCore.fromState(extractor, new Map())).to.throw(/a bank of patches must be "bank"/);
    expect(() => PatchCore.fromState(extractor, state, { neighbours: 0 })).to.throw(
      /neighbours must be a whole number from 1 on, but is 0/,
    );
    for (const data of [undefined, Int32Array.of(), Int32Array.of(2, 5)]) {
      const damaged = new Map(state);
      if (data) damaged.set("layers", { shape: [data.length], dtype: "i32", data });
      else damaged.delete("layers");
      expect(() => PatchCore.fromState(extractor, damaged)).to.throw(
        CheckpointError,
        /must be "layers", numbers from 1 to 4; a bank without them must be filled again/,
      );
    }
    expect(await message(fit({ fraction: 0 }))).to.match(/fraction must be in \(0, 1\]/);
    expect(await message(PatchCore.fit(extractor, stripes(0, 1)))).to.match(/at least one good image/);
  });
});
