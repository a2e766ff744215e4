import { join } from "node:path";
import { expect } from "chai";
import { readImage } from "../../node/src/images/read.ts";
import { entry, type NpzArray, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { PublishedPixelMetrics, youdenThreshold } from "../src/metrics/published.ts";
import { publishedMask } from "../src/metrics/publishedMask.ts";
import { findRegions } from "../src/metrics/regions.ts";
import { stream } from "./metricsBruteForce.ts";

const side = 6;

/** Maps and masks whose defects have a border that is defective in part. */
function images(seed: number, levels: number): { maps: Float32Array[]; coverage: Float32Array[] } {
  const next = stream(seed);
  const coverage = [0, 1, 2].map((image) =>
    Float32Array.from({ length: side * side }, () => {
      const kind = image === 0 ? 1 : next();
      return kind < 0.2 ? 1 : kind < 0.3 ? 64 / 255 : 0;
    }),
  );
  const maps = coverage.map((mask) =>
    mask.map((share) => Math.round((next() + 0.4 * share) * levels) / levels),
  );
  return { maps, coverage };
}

/** The published recipe, step by step. */
function recipe(maps: Float32Array[], coverage: Float32Array[]): number {
  const all = maps.flatMap((map) => Array.from(map));
  const [lowest, highest] = [Math.min(...all), Math.max(...all)];
  const scaled = maps.map((map) =>
    map.map((score) => Math.fround(score - lowest) / Math.fround(highest - lowest)),
  );
  const good = coverage.flatMap((mask) => Array.from(mask)).reduce((sum, share) => sum + (1 - share), 0);
  const points = Array.from({ length: 200 }, (_, i) => {
    const threshold = Math.fround(i / 200);
    const overlaps: number[] = [];
    let alarms = 0;
    coverage.forEach((mask, image) => {
      const map = scaled[image]!;
      const whole = Array.from(mask, (share) => (share === 1 ? 1 : 0));
      const { labels, sizes } = findRegions(whole, side, side);
      sizes.forEach((size, region) => {
        const hits = map.filter((score, pixel) => labels[pixel] === region + 1 && score > threshold).length;
        overlaps.push(hits / size);
      });
      alarms += map.filter((score, pixel) => mask[pixel] !== 1 && score > threshold).length;
    });
    return { x: alarms / good, y: overlaps.reduce((a, b) => a + b) / overlaps.length };
  }).filter(({ x }) => x < 0.3);
  const largest = Math.max(...points.map(({ x }) => x));
  let area = 0;
  for (let i = 1; i < points.length; i++) {
    area += ((points[i - 1]!.x - points[i]!.x) * (points[i - 1]!.y + points[i]!.y)) / 2;
  }
  return area / largest;
}

function collect({ maps, coverage }: ReturnType<typeof images>): PublishedPixelMetrics {
  const pixels = new PublishedPixelMetrics();
  maps.forEach((map, i) => {
    pixels.add(map, coverage[i]!);
  });
  return pixels;
}

describe("published metrics", () => {
  for (const levels of [1000, 30, 5]) {
    for (const seed of [1, 2, 3]) {
      it(`PRO follows the recipe: ${levels} levels, seed ${seed}`, () => {
        const set = images(10 * levels + seed, levels);
        expect(collect(set).pro().pro).to.be.closeTo(recipe(set.maps, set.coverage), 1e-12);
      });
    }
  }

  it("PRO changes when scores are rescaled, which is why it is not the exact one", () => {
    const set = images(4, 1000);
    const maps = set.maps.map((map) => map.map((score) => Math.exp(3 * score)));
    const [before, after] = [collect(set), collect({ ...set, maps })];
    expect(after.exact.result().aupro).to.deep.equal(before.exact.result().aupro);
    expect(Math.abs(after.pro().pro - before.pro().pro)).to.be.above(1e-3);
  });

  it("PRO says why it is undefined", () => {
    const pixels = new PublishedPixelMetrics();
    const add = (scores: number[], shares: number[]): void => pixels.add(Float32Array.from(scores), shares);
    add([1, 1, 1, 1], [0, 0, 0.5, 0]);
    expect(() => pixels.pro()).to.throw(RangeError, "no pixel is entirely defective");
    add([1, 1, 1, 1], [0, 0, 1, 0]);
    expect(() => pixels.pro()).to.throw(RangeError, "lie from 1 to 1");
    add([1, 1, 1, 1 + 2 ** -20], [0, 0, 1, 1]);
    expect(() => pixels.pro()).to.throw(RangeError, "the largest rate there being 0");
    expect(() => add([1, 1, 1, 1], [0, 255, 0, 0])).to.throw(RangeError, "divide bytes by 255");
    expect(() => add([1, 1, Number.NaN, 1], [0, 1, 0, 0])).to.throw(RangeError, "pixel 2 is not a number");
    const all = new PublishedPixelMetrics();
    all.add(Float32Array.of(1, 2, 3, 4), [1, 1, 1, 1]);
    expect(() => all.pro()).to.throw(RangeError, "no good pixel");
  });

  it("pick the threshold on the test set, the highest of several", () => {
    expect(youdenThreshold([0, 1, 0, 1], [1, 2, 3, 4])).to.equal(4);
    expect(youdenThreshold([0, 0, 1, 1], [1, 2, 3, 4])).to.equal(3);
    expect(youdenThreshold([1, 0], [1, 2]), "none is better than chance").to.equal(3);
    expect(() => youdenThreshold([1, 1], [1, 2])).to.throw(RangeError, "is good");
  });
});

describe("recorded published metrics", () => {
  let arrays: Map<string, NpzArray>;
  before(function () {
    arrays = readNpz(sharedOrSkip(this, "golden", "metrics.npz"));
  });
  const number = (key: string): number => Number(arrays.get(key)!.data[0]);

  for (const tag of ["pix", "pix_ties", "pix_soft"]) {
    it(`agree on the pixels of ${tag}`, () => {
      const maps = entry(arrays, `${tag}|maps`, Float32Array).data; // [20, 1, 56, 56]
      const masks = entry(arrays, `${tag}|masks`, Float32Array).data;
      const pixels = new PublishedPixelMetrics();
      for (let at = 0; at < maps.length; at += 56 * 56) {
        pixels.add(maps.subarray(at, at + 56 * 56), masks.subarray(at, at + 56 * 56));
      }
      const { pro, regions, curve } = pixels.pro();
      expect(pro).to.be.closeTo(number(`${tag}|pro`), 1e-12);
      expect(regions).to.equal(number(`${tag}|original_regions`));
      const rows = entry(arrays, `${tag}|pro_rows`, Float64Array).data; // [200, 3]
      for (const [i, { overlap, falsePositiveRate, threshold }] of curve.entries()) {
        expect(overlap).to.be.closeTo(rows[i * 3]!, 1e-12);
        // The recorded number of good pixels is a float32 sum.
        expect(falsePositiveRate).to.be.closeTo(rows[i * 3 + 1]!, 1e-8);
        expect(threshold).to.be.closeTo(rows[i * 3 + 2]!, 1e-12);
      }
      // Recorded after the scores were scaled in float32, which makes a few of them equal.
      expect(pixels.exact.result().auroc).to.be.closeTo(number(`${tag}|pixel_auroc`), 1e-7);
    });

    it(`agree on the threshold of ${tag}`, () => {
      const labels = entry(arrays, `${tag}|labels`, Int32Array).data;
      const scores = entry(arrays, `${tag}|preds`, Float64Array).data;
      expect(youdenThreshold(labels, scores)).to.equal(number(`${tag}|youden`));
    });
  }

  for (const tag of ["img_ties", "img_noties", "img_perfect", "img_inverted"]) {
    it(`agree on the threshold of ${tag}`, () => {
      const labels = entry(arrays, `${tag}|labels`, Int32Array).data;
      const scores = entry(arrays, `${tag}|scores`, Float64Array).data;
      expect(youdenThreshold(labels, scores)).to.be.closeTo(number(`${tag}|youden`), 1e-12);
    });
  }

  it("agree on masks, bit for bit", async function () {
    const folder = sharedOrSkip(this, "golden", "resize");
    const recorded = readNpz(join(folder, "resize.npz"));
    const plain = publishedMask(await readImage(join(folder, "mask_100x80.png")), 64, 64);
    expect(plain).to.deep.equal(entry(recorded, "mask_100x80|resized", Uint8Array).data);
    for (const name of ["000", "001"]) {
      const path = join(folder, "mvtec", "synthetic", "ground_truth", "bad", `${name}_mask.png`);
      const mask = publishedMask(await readImage(path), 64, 64);
      const tensor = entry(recorded, `dataset/synthetic/test/bad/${name}.png|mask`, Float32Array).data;
      expect(new Float32Array(mask).map((value) => value / 255)).to.deep.equal(tensor);
    }
  });

  it("count a mask's every non-zero value", () => {
    const image = { width: 2, height: 1, channels: 1 as const, data: Uint8Array.of(0, 3) };
    expect([...publishedMask(image, 2, 1)]).to.deep.equal([0, 255]);
    const color = { width: 2, height: 1, channels: 3 as const, data: Uint8Array.of(0, 0, 9, 0, 0, 0) };
    expect([...publishedMask(color, 2, 1)]).to.deep.equal([255, 0]);
  });
});
