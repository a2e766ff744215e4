import { expect } from "chai";
import { entry, type NpzArray, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { aupro } from "../src/metrics/aupro.ts";
import { auroc, averagePrecision, f1Max } from "../src/metrics/curves.ts";
import { PixelMetrics } from "../src/metrics/pixelMetrics.ts";
import { keyOfScore, scoreOfKey, sortKeys } from "../src/metrics/scoreKeys.ts";
import { curveAupro, pairwiseAuroc, stream } from "./metricsBruteForce.ts";

const width = 7;
const pixelsOfImage = 42;

type Images = { maps: Float32Array[]; masks: Uint8Array[] };

/** Maps with about `levels` distinct scores, also below 0; the first image is good. */
function images(seed: number, levels: number, count = 4): Images {
  const next = stream(seed);
  const masks = Array.from({ length: count }, (_, image) =>
    Uint8Array.from({ length: pixelsOfImage }, () => (image > 0 && next() < 0.2 ? 255 : 0)),
  );
  const maps = masks.map((mask) =>
    Float32Array.from(mask, (value) => Math.round((next() - 0.5 + (value ? 0.3 : 0)) * levels) / levels),
  );
  return { maps, masks };
}

function collect({ maps, masks }: Images): PixelMetrics {
  const pixels = new PixelMetrics();
  maps.forEach((map, i) => {
    pixels.add(map, masks[i]!, width);
  });
  return pixels;
}

const flat = (arrays: readonly ArrayLike<number>[]): number[] =>
  arrays.flatMap((values) => Array.from(values));

const plain = ({ maps, masks }: Images): { maps: number[][]; masks: number[][] } => ({
  maps: maps.map((map) => Array.from(map)),
  masks: masks.map((mask) => Array.from(mask, (value) => (value ? 1 : 0))),
});

/** The same images, each as often as it counts. */
const repeated = ({ maps, masks }: Images, counts: readonly number[]): Images => ({
  maps: maps.flatMap((map, i) => Array.from({ length: counts[i]! }, () => map)),
  masks: masks.flatMap((mask, i) => Array.from({ length: counts[i]! }, () => mask)),
});

const close = (actual: number, expected: number, what = ""): void =>
  void expect(actual, what).to.be.closeTo(expected, 1e-12);

const limits = [0.05, 0.3, 1];

describe("PixelMetrics", () => {
  for (const levels of [1000, 20, 6, 2, 1]) {
    for (const seed of [1, 2, 3]) {
      const set = images(seed * 100 + levels, levels);
      const brute = plain(set);

      it(`equals the definitions: ${levels} levels, seed ${seed}`, () => {
        const [labels, scores] = [flat(brute.masks), flat(brute.maps)];
        const result = collect(set).result({ limits });
        close(result.auroc, pairwiseAuroc(labels, scores), "auroc");
        close(result.ap, averagePrecision(labels, scores), "ap");
        const best = f1Max(labels, scores);
        expect(result.f1Max).to.deep.equal(best);
        limits.forEach((limit, i) => {
          const expected = curveAupro(brute.maps, brute.masks, width, limit);
          close(result.aupro[i]!, expected, `aupro ${limit}`);
          close(aupro(set.maps, set.masks, { limit, width }), expected);
        });
      });

      it(`counts images as often as a weighting says: ${levels} levels, seed ${seed}`, () => {
        const weightings = [
          [1, 1, 0, 0],
          [0, 2, 1, 3],
          [5, 0, 0, 1],
          [1, 1, 1, 1],
        ];
        const { weighted, auroc: all, aupro: allAupro } = collect(set).result({ limits, weightings });
        expect(weighted[3]).to.deep.equal({ auroc: all, aupro: allAupro });
        weightings.forEach((counts, w) => {
          const drawn = plain(repeated(set, counts));
          close(weighted[w]!.auroc, pairwiseAuroc(flat(drawn.masks), flat(drawn.maps)), `auroc ${counts}`);
          limits.forEach((limit, i) => {
            const expected = curveAupro(drawn.maps, drawn.masks, width, limit);
            close(weighted[w]!.aupro[i]!, expected, `aupro ${limit} of ${counts}`);
          });
        });
      });

      it(`is not changed by a monotone map of the scores: ${levels} levels, seed ${seed}`, () => {
        const before = collect(set).result({ limits });
        const monotone = [
          (score: number) => 3 * score - 7,
          (score: number) => Math.exp(5 * score),
          (score: number) => (score < 0 ? score * 1e-3 : score * 1e6),
        ];
        for (const apply of monotone) {
          const maps = set.maps.map((map) => map.map(apply));
          expect(new Set(flat(maps)).size, "still distinct").to.equal(new Set(flat(set.maps)).size);
          const after = collect({ ...set, maps }).result({ limits });
          const { threshold: _, ...f1 } = before.f1Max;
          expect(after.f1Max).to.deep.include(f1);
          expect({ ...after, f1Max: 0 }).to.deep.equal({ ...before, f1Max: 0 });
        }
      });
    }
  }

  const mask = Uint8Array.of(0, 0, 1, 0, 0, 1);
  const of = (...scores: number[]): PixelMetrics => {
    const pixels = new PixelMetrics();
    pixels.add(Float32Array.from(scores), mask, 3);
    return pixels;
  };

  it("is 1 for perfect maps, 0 for inverted ones, chance for constant ones", () => {
    expect(of(0, 1, 5, 2, 3, 5).result({ limits: [1] })).to.deep.include({ auroc: 1, ap: 1, aupro: [1] });
    expect(of(5, 4, 1, 3, 2, 1).result({ limits: [0.3, 1] })).to.deep.include({ auroc: 0, aupro: [0, 0] });
    const constant = of(2, 2, 2, 2, 2, 2).result({ limits: [0.5, 1] });
    expect(constant.auroc).to.equal(0.5);
    close(constant.ap, 2 / 6);
    close(constant.aupro[0]!, 0.25);
    close(constant.aupro[1]!, 0.5);
    expect(constant.f1Max.threshold).to.equal(2);
  });

  it("takes infinite scores, and 0 and −0 as one", () => {
    expect(of(0, -Infinity, Infinity, 0, 1, Infinity).result().auroc).to.equal(1);
    expect(of(0, -0, -0, 0, 0, 0).result().auroc).to.equal(0.5);
  });

  it("continues after a result, and counts images, regions and false positives", () => {
    const set = images(5, 6);
    const pixels = new PixelMetrics();
    set.maps.forEach((map, i) => {
      pixels.add(map, set.masks[i]!, width);
      if (i > 0) pixels.result();
    });
    expect(pixels.result()).to.deep.equal(collect(set).result());
    expect(pixels.images).to.equal(4);
    const good = set.maps.flatMap((map, i) => Array.from(map).filter((_, pixel) => !set.masks[i]![pixel]));
    for (const threshold of [-1, 0, 1 / 6, 2]) {
      const expected = good.filter((score) => score >= Math.fround(threshold)).length;
      expect(pixels.falsePositives(threshold)).to.equal(expected);
    }
    expect(of(1, 2, 3, 4, 5, 6).regions).to.equal(1);
  });

  it("keeps nothing of the map it was given", () => {
    const map = Float32Array.of(0, 1, 5, 2, 3, 5);
    const pixels = new PixelMetrics();
    pixels.add(map, mask, 3);
    map.fill(0);
    expect(pixels.result().auroc).to.equal(1);
  });

  it("says what is wrong with its input, and takes nothing of it", () => {
    const pixels = of(0, 1, 5, 2, 3, 5);
    const add = (map: number[], truth: number[], columns?: number) => () =>
      pixels.add(Float32Array.from(map), truth, columns);
    expect(add([1, 2], [0])).to.throw(RangeError, "map 1 has 2 pixels, but its mask has 1");
    expect(add([1, 2], [0, 1])).to.throw(RangeError, "give its width");
    expect(add([], [])).to.throw(RangeError, "give its width");
    expect(add([1, Number.NaN], [0, 1], 2)).to.throw(RangeError, "map 1: pixel 1 is not a number");
    expect(pixels.images).to.equal(1);
    expect(() => pixels.result({ limits: [0] })).to.throw(RangeError, "limits must be in (0, 1]");
    expect(() => pixels.result({ weightings: [[1, 1]] })).to.throw(RangeError, "weighting of 2");
  });

  it("says which class is missing; a weighting without one has no areas", () => {
    const good = new PixelMetrics();
    expect(() => good.result()).to.throw(RangeError, "no pixel of the 0 images is defective");
    good.add(Float32Array.of(1, 2, 3, 4), new Uint8Array(4));
    expect(() => good.result()).to.throw(RangeError, "no pixel of the 1 images is defective");
    good.add(Float32Array.of(1, 2, 3, 4), Uint8Array.of(0, 0, 0, 1));
    const weightings = [
      [1, 0],
      [0, 0],
      [0, 1],
    ];
    const { weighted } = good.result({ weightings });
    expect(weighted.slice(0, 2)).to.deep.equal([undefined, undefined]);
    expect(weighted[2]!.auroc).to.equal(1);
    const bad = new PixelMetrics();
    bad.add(Float32Array.of(1, 2, 3, 4), new Uint8Array(4).fill(1));
    expect(() => bad.result()).to.throw(RangeError, "no pixel of the 1 images is good");
  });
});

describe("score keys", () => {
  const scores = [-Infinity, -3e38, -1, -1e-40, 0, 1e-45, 1e-40, 0.5, 1, 1 + 2 ** -23, 3e38, Infinity];

  it("have the order of the scores, and lead back to them", () => {
    const keys = scores.map(keyOfScore);
    expect(keys).to.deep.equal([...keys].sort((a, b) => a - b));
    expect(new Set(keys).size).to.equal(scores.length);
    expect(keys.map(scoreOfKey)).to.deep.equal(scores.map(Math.fround));
    expect(keyOfScore(-0)).to.equal(keyOfScore(0));
  });

  for (const count of [0, 1, 2, 5000]) {
    it(`are sorted with what belongs to them: ${count}`, () => {
      const next = stream(count);
      const keys = Uint32Array.from({ length: count }, (_, i) =>
        i % 3 ? next() * 2 ** 32 : 2 ** 32 - 1 - (i % 7),
      );
      const order = Array.from(keys.keys()).sort((a, b) => keys[a]! - keys[b]! || a - b);
      const expected = order.map((i) => keys[i]!);
      const alone = keys.slice();
      sortKeys(alone, undefined, new Uint32Array(count + 3));
      expect([...alone]).to.deep.equal(expected);
      const values = Uint32Array.from(keys.keys());
      sortKeys(keys, values);
      expect([...keys]).to.deep.equal(expected);
      expect([...values]).to.deep.equal(order);
    });
  }
});

describe("recorded pixel metrics", () => {
  let arrays: Map<string, NpzArray>;
  before(function () {
    arrays = readNpz(sharedOrSkip(this, "golden", "metrics.npz"));
  });

  const binarisations = [
    { name: "gt0", tags: ["pix", "pix_ties", "pix_soft"], defective: (value: number) => value > 0 },
    { name: "gt1", tags: ["pix_soft"], defective: (value: number) => value === 1 },
  ];
  for (const { name, tags, defective } of binarisations) {
    for (const tag of tags) {
      it(`agree with what PixelMetrics collects of ${tag}, ${name}`, () => {
        const scores = entry(arrays, `${tag}|maps`, Float32Array).data; // [20, 1, 56, 56]
        const masks = entry(arrays, `${tag}|masks`, Float32Array).data;
        const pixels = new PixelMetrics();
        for (let at = 0; at < scores.length; at += 56 * 56) {
          const truth = Uint8Array.from(masks.subarray(at, at + 56 * 56), (value) =>
            Number(defective(value)),
          );
          pixels.add(scores.subarray(at, at + 56 * 56), truth);
        }
        const { auroc: area, ap, f1Max: best, aupro: areas } = pixels.result();
        const recorded = (key: string, index = 0): number =>
          Number(arrays.get(`${tag}|${name}|${key}`)!.data[index]);
        expect(pixels.regions).to.equal(recorded("regions"));
        close(area, recorded("pixel_auroc"));
        close(ap, recorded("pixel_ap"));
        close(best.f1, recorded("pixel_f1max"));
        expect(best.threshold).to.equal(recorded("pixel_f1max", 1));
        close(areas[0]!, recorded("aupro30"));
        close(areas[1]!, recorded("aupro05"));
      });
    }
  }

  it("are those of the separate functions", () => {
    const set = images(77, 100, 9);
    const { auroc: area, ap } = collect(set).result();
    const labels = Uint8Array.from(flat(set.masks));
    const scores = Float32Array.from(flat(set.maps));
    close(area, auroc(labels, scores));
    close(ap, averagePrecision(labels, scores));
  });
});
