import { expect } from "chai";
import { entry, type NpzArray, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { aupro } from "../src/metrics/aupro.ts";
import { auroc, averagePrecision, f1Max, rocCurve } from "../src/metrics/curves.ts";
import { findRegions } from "../src/metrics/regions.ts";
import { countAt, curveAupro, distinct, pairwiseAuroc, sample, stream } from "./metricsBruteForce.ts";

const cases = [
  { name: "few ties", seed: 1, count: 60, levels: 1000 },
  { name: "many ties", seed: 2, count: 80, levels: 5 },
  { name: "two levels", seed: 3, count: 40, levels: 1 },
  { name: "two scores", seed: 4, count: 2, levels: 1000 },
  ...[5, 6, 7, 8].map((seed) => ({ name: `seed ${seed}`, seed, count: 20 * seed, levels: seed - 2 })),
];

describe("ranking metrics", () => {
  for (const { name, seed, count, levels } of cases) {
    const { labels, scores } = sample(seed, count, levels);
    const close = (a: number, b: number): void => void expect(a).to.be.closeTo(b, 1e-12);

    it(`auroc is the share of ordered pairs: ${name}`, () => {
      close(auroc(labels, scores), pairwiseAuroc(labels, scores));
    });

    it(`averagePrecision sums precision over rises of recall: ${name}`, () => {
      let expected = 0;
      let last = 0;
      for (const threshold of distinct(scores)) {
        const { precision, recall } = countAt(labels, scores, threshold);
        expected += (recall - last) * precision;
        last = recall;
      }
      close(averagePrecision(labels, scores), expected);
    });

    it(`f1Max finds the best of all thresholds: ${name}`, () => {
      const all = distinct(scores).map((threshold) => {
        const { precision, recall } = countAt(labels, scores, threshold);
        return precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
      });
      const best = f1Max(labels, scores);
      close(best.f1, Math.max(...all));
      const { precision, recall } = countAt(labels, scores, best.threshold);
      expect(best).to.deep.include({ precision, recall });
    });

    it(`a monotone map of the scores changes nothing: ${name}`, () => {
      const mapped = scores.map((score) => Math.exp(3 * score) - 7);
      expect(auroc(labels, mapped)).to.equal(auroc(labels, scores));
      expect(averagePrecision(labels, mapped)).to.equal(averagePrecision(labels, scores));
      expect(f1Max(labels, mapped).f1).to.equal(f1Max(labels, scores).f1);
    });

    it(`turning the scores round turns auroc round: ${name}`, () => {
      const turned = scores.map((score) => -score);
      close(auroc(labels, turned), 1 - auroc(labels, scores));
    });
  }

  it("are 1 for a perfect ranking and take booleans, bytes and float32", () => {
    expect(auroc([false, true, false, true], [1, 3, 2, 4])).to.equal(1);
    expect(averagePrecision(Uint8Array.of(0, 255, 0, 7), Float32Array.of(1, 3, 2, 4))).to.equal(1);
    expect(f1Max([0, 1, 0, 1], [1, 3, 2, 4])).to.deep.equal({ f1: 1, threshold: 3, precision: 1, recall: 1 });
  });

  it("are those of chance where all scores are the same, and worst where the ranking is inverted", () => {
    const labels = [0, 1, 0, 0];
    expect(auroc(labels, [3, 3, 3, 3])).to.equal(0.5);
    expect(averagePrecision(labels, [3, 3, 3, 3])).to.equal(0.25);
    expect(f1Max(labels, [3, 3, 3, 3])).to.deep.equal({ f1: 0.4, threshold: 3, precision: 0.25, recall: 1 });
    expect(auroc(labels, [2, 1, 3, 4])).to.equal(0);
    expect(averagePrecision(labels, [2, 1, 3, 4])).to.equal(0.25);
  });

  it("treat 0 and -0 as the same score, and infinity as the highest", () => {
    expect(auroc([0, 1], [0, -0])).to.equal(0.5);
    expect(auroc([0, 1, 0], [5, Infinity, -Infinity])).to.equal(1);
  });

  it("give the ROC curve from corner to corner", () => {
    expect(rocCurve([0, 1, 0, 1], [1, 2, 2, 3])).to.deep.equal([
      { threshold: Infinity, falsePositiveRate: 0, truePositiveRate: 0 },
      { threshold: 3, falsePositiveRate: 0, truePositiveRate: 0.5 },
      { threshold: 2, falsePositiveRate: 0.5, truePositiveRate: 1 },
      { threshold: 1, falsePositiveRate: 1, truePositiveRate: 1 },
    ]);
  });

  for (const metric of [auroc, averagePrecision, f1Max, rocCurve]) {
    it(`${metric.name} says what is wrong with its input`, () => {
      expect(() => metric([0, 0, 0], [1, 2, 3])).to.throw(
        RangeError,
        `${metric.name}: both classes are needed`,
      );
      expect(() => metric([1, 1], [1, 2])).to.throw(RangeError, "none of the 2 labels is good");
      expect(() => metric([], [])).to.throw(RangeError, "none of the 0 labels is defective");
      expect(() => metric([0, 1], [1])).to.throw(RangeError, "there are 1 scores and 2 labels");
      expect(() => metric([0, 1], [1, Number.NaN])).to.throw(RangeError, "score 1 is not a number");
    });
  }

  it("take ten million pixels in seconds", function () {
    this.timeout(20_000);
    const count = 10_000_000;
    const scores = new Float32Array(count);
    const labels = new Uint8Array(count);
    const next = stream(9);
    for (let i = 0; i < count; i++) {
      labels[i] = i % 40 === 0 ? 1 : 0;
      scores[i] = next() + (labels[i] ? 0.25 : 0);
    }
    // P(u + 1/4 > v) = 1 − (3/4)² / 2 for two uniform numbers.
    expect(auroc(labels, scores)).to.be.closeTo(1 - 0.28125, 2e-3);
  });
});

describe("findRegions", () => {
  const mask = (rows: string[]): number[] =>
    rows.flatMap((row) => [...row].map((cell) => (cell === "#" ? 1 : 0)));

  it("joins pixels that touch at a corner, not round the edge", () => {
    const { count, sizes, labels } = findRegions(mask(["#...#", ".#..#", ".....", "#...."]), 5, 4);
    expect(count).to.equal(3);
    expect(sizes).to.deep.equal([2, 2, 1]);
    expect([...labels]).to.deep.equal([1, 0, 0, 0, 2, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0]);
  });

  it("follows a spiral to its end", () => {
    expect(findRegions(mask(["#####", "....#", "###.#", "#...#", "#####"]), 5, 5).count).to.equal(1);
  });

  it("finds none in an empty mask and one in a full one", () => {
    expect(findRegions(new Uint8Array(6), 3, 2).count).to.equal(0);
    expect(findRegions(new Uint8Array(6).fill(1), 3, 2).sizes).to.deep.equal([6]);
    expect(() => findRegions([1], 2, 2)).to.throw(RangeError, "has 4 pixels, but 1 were given");
  });
});

describe("aupro", () => {
  function images(seed: number, levels: number): { maps: number[][]; masks: number[][] } {
    const next = stream(seed);
    const masks = [0, 1, 2].map((image) =>
      Array.from({ length: 42 }, () => (image > 0 && next() < 0.2 ? 1 : 0)),
    );
    const maps = masks.map((mask) =>
      mask.map((value) => Math.round((next() + 0.3 * value) * levels) / levels),
    );
    return { maps, masks };
  }

  for (const levels of [1000, 6, 1]) {
    for (const limit of [0.05, 0.3, 1]) {
      it(`is the area under the curve: ${levels} levels, limit ${limit}`, () => {
        const { maps, masks } = images(levels, levels);
        expect(aupro(maps, masks, { limit, width: 7 })).to.be.closeTo(
          curveAupro(maps, masks, 7, limit),
          1e-12,
        );
        const mapped = maps.map((map) => map.map((score) => Math.exp(3 * score)));
        expect(aupro(mapped, masks, { limit, width: 7 })).to.equal(aupro(maps, masks, { limit, width: 7 }));
      });
    }
  }

  it("is 1 for perfect maps, and takes square maps without a width", () => {
    const mask = Uint8Array.of(0, 0, 1, 0);
    expect(aupro([Float32Array.of(0.1, 0.2, 0.9, 0.3)], [mask], { limit: 0.3 })).to.be.closeTo(1, 1e-15);
  });

  it("says what is wrong with its input", () => {
    const map = [1, 2, 3, 4];
    expect(() => aupro([map], [[0, 0, 0, 0]], { limit: 0.3 })).to.throw(RangeError, "no mask has a defect");
    expect(() => aupro([map], [[1, 1, 1, 1]], { limit: 0.3 })).to.throw(RangeError, "no good pixel");
    expect(() => aupro([map], [[0, 1]], { limit: 0.3 })).to.throw(
      RangeError,
      "map 0 has 4 pixels, but its mask has 2",
    );
    expect(() => aupro([map], [], { limit: 0.3 })).to.throw(RangeError, "1 maps and 0 masks");
    expect(() => aupro([map], [[0, 1, 0, 0]], { limit: 0 })).to.throw(RangeError, "limit must be in (0, 1]");
    expect(() => aupro([[1, 2, 3]], [[0, 1, 0]], { limit: 1 })).to.throw(RangeError, "give its width");
    expect(() => aupro([[1, Number.NaN]], [[0, 1]], { limit: 1, width: 2 })).to.throw(
      RangeError,
      "pixel 1 of map 0",
    );
  });
});

describe("recorded metrics", () => {
  let arrays: Map<string, NpzArray>;
  before(function () {
    arrays = readNpz(sharedOrSkip(this, "golden", "metrics.npz"));
  });

  const number = (key: string): number => Number(arrays.get(key)!.data[0]);
  const close = (actual: number, key: string): void =>
    void expect(actual, key).to.be.closeTo(number(key), 1e-12);

  for (const tag of ["img_ties", "img_noties", "img_perfect", "img_inverted"]) {
    it(`agree with scikit-learn on ${tag}`, () => {
      const labels = entry(arrays, `${tag}|labels`, Int32Array).data;
      const scores = entry(arrays, `${tag}|scores`, Float64Array).data;
      close(auroc(labels, scores), `${tag}|auroc`);
      close(averagePrecision(labels, scores), `${tag}|ap`);
      const best = f1Max(labels, scores);
      close(best.f1, `${tag}|f1max`);
      expect(best.threshold).to.equal(arrays.get(`${tag}|f1max`)!.data[1]);
      // The recorded curve leaves out points on straight lines; each point it keeps must be one of ours.
      const [fpr, tpr] = ["fpr", "tpr"].map((name) => entry(arrays, `${tag}|${name}`, Float64Array).data);
      const curve = rocCurve(labels, scores);
      for (const [i, x] of fpr!.entries()) {
        const found = curve.some(
          (point) =>
            Math.abs(point.falsePositiveRate - x) < 1e-12 &&
            Math.abs(point.truePositiveRate - tpr![i]!) < 1e-12,
        );
        expect(found, `point ${i} of ${tag}`).to.equal(true);
      }
    });
  }

  const binarisations = [
    { name: "gt0", tags: ["pix", "pix_ties", "pix_soft"], defective: (value: number) => value > 0 },
    { name: "gt1", tags: ["pix_soft"], defective: (value: number) => value === 1 },
  ];
  for (const { name, tags, defective } of binarisations) {
    for (const tag of tags) {
      it(`agree on the pixels of ${tag}, ${name}`, () => {
        const scores = entry(arrays, `${tag}|maps`, Float32Array).data; // [20, 1, 56, 56]
        const labels = Uint8Array.from(entry(arrays, `${tag}|masks`, Float32Array).data, (value) =>
          Number(defective(value)),
        );
        close(auroc(labels, scores), `${tag}|${name}|pixel_auroc`);
        close(averagePrecision(labels, scores), `${tag}|${name}|pixel_ap`);
        const best = f1Max(labels, scores);
        close(best.f1, `${tag}|${name}|pixel_f1max`);
        expect(best.threshold).to.equal(arrays.get(`${tag}|${name}|pixel_f1max`)!.data[1]);
        const images = Array.from({ length: 20 }, (_, i) => [i * 56 * 56, (i + 1) * 56 * 56] as const);
        const maps = images.map(([from, to]) => scores.subarray(from, to));
        const masks = images.map(([from, to]) => labels.subarray(from, to));
        const regions = masks.reduce((sum, mask) => sum + findRegions(mask, 56, 56).count, 0);
        expect(regions).to.equal(number(`${tag}|${name}|regions`));
        close(aupro(maps, masks, { limit: 0.3 }), `${tag}|${name}|aupro30`);
        close(aupro(maps, masks, { limit: 0.05 }), `${tag}|${name}|aupro05`);
      });
    }
  }

  for (const tag of ["pix", "pix_ties", "pix_soft"]) {
    it(`agree on the images of ${tag}`, () => {
      const labels = entry(arrays, `${tag}|labels`, Int32Array).data;
      const scores = entry(arrays, `${tag}|preds`, Float64Array).data;
      close(auroc(labels, scores), `${tag}|image_auroc`);
      close(averagePrecision(labels, scores), `${tag}|image_ap`);
      close(f1Max(labels, scores).f1, `${tag}|image_f1max`);
    });
  }
});
