import { expect } from "chai";
import { imageIntervals, percentileInterval, resampleImages } from "../src/metrics/bootstrap.ts";
import { auroc } from "../src/metrics/curves.ts";
import { PixelMetrics } from "../src/metrics/pixelMetrics.ts";
import { sample, stream } from "./metricsBruteForce.ts";

/** A normal number (the sum of twelve uniform ones). */
const normal = (next: () => number): number => Array.from({ length: 12 }, next).reduce((a, b) => a + b) - 6;

describe("bootstrap", () => {
  const labels = [0, 1, 0, 0, 1, 0, 1, 0];

  it("draws as many images of each class as there are, the same for the same seed", () => {
    const resamples = resampleImages(labels, { resamples: 300, seed: 5 });
    expect(resamples).to.have.length(300);
    for (const counts of resamples) {
      const drawn = [0, 0];
      counts.forEach((count, image) => {
        drawn[labels[image]!]! += count;
      });
      expect(drawn).to.deep.equal([5, 3]);
    }
    expect(resampleImages(labels, { resamples: 300, seed: 5 })).to.deep.equal(resamples);
    expect(resampleImages(labels, { resamples: 10, seed: 5 })).to.deep.equal(resamples.slice(0, 10));
    expect(resampleImages(labels, { resamples: 300, seed: 6 })).to.not.deep.equal(resamples);
  });

  it("draws every image of a class alike", () => {
    const totals = labels.map(() => 0);
    for (const counts of resampleImages(labels, { resamples: 4000 })) {
      counts.forEach((count, image) => {
        totals[image]! += count;
      });
    }
    // 4000 draws of each image expected; the deviation is √(4000 · n · 1/n · (1 − 1/n)) < 57.
    for (const total of totals) expect(total).to.be.within(4000 - 5 * 57, 4000 + 5 * 57);
  });

  it("takes the middle of the values, interpolated", () => {
    const values = Array.from({ length: 101 }, (_, i) => 100 - i);
    expect(percentileInterval(values, 0.5)).to.deep.equal([25, 75]);
    const [low, high] = percentileInterval([0, 1], 0.5);
    expect([low, high]).to.deep.equal([0.25, 0.75]);
    expect(percentileInterval([3])).to.deep.equal([3, 3]);
    expect(() => percentileInterval([])).to.throw(RangeError, "there are no values");
    expect(() => percentileInterval([1], 1)).to.throw(RangeError, "level must be between 0 and 1");
  });

  it("gives intervals round the metrics, wider for a higher level, and none where nothing can change", () => {
    const { labels: some, scores } = sample(3, 80, 1000);
    const narrow = imageIntervals(some, scores, { level: 0.5 });
    const wide = imageIntervals(some, scores, { level: 0.95 });
    expect(auroc(some, scores)).to.be.within(...wide.auroc);
    for (const metric of ["auroc", "ap", "f1Max"] as const) {
      expect(wide[metric][0]).to.be.below(narrow[metric][0]);
      expect(wide[metric][1]).to.be.above(narrow[metric][1]);
    }
    expect(imageIntervals([0, 0, 1, 1], [1, 2, 3, 4])).to.deep.equal({
      auroc: [1, 1],
      ap: [1, 1],
      f1Max: [1, 1],
    });
  });

  it("covers the true AUROC about as often as it says", () => {
    // P(a + √2 > b) of two standard normal numbers is Φ(1).
    const truth = 0.841345;
    const next = stream(11);
    let covered = 0;
    const trials = 200;
    for (let trial = 0; trial < trials; trial++) {
      const drawn = Array.from({ length: 100 }, (_, i) => (i < 40 ? 0 : 1));
      const scores = drawn.map((label) => normal(next) + label * Math.SQRT2);
      const [low, high] = imageIntervals(drawn, scores, { resamples: 200, level: 0.9, seed: trial }).auroc;
      if (low <= truth && truth <= high) covered++;
    }
    // 180 expected, deviation 4.2; percentile intervals of so few images cover a little less than they say.
    expect(covered).to.be.within(160, 195);
  });

  it("resamples whole images for pixel metrics: images that are alike leave nothing to chance", () => {
    const next = stream(3);
    const pixels = new PixelMetrics();
    const map = Float32Array.from({ length: 64 }, next);
    const mask = Uint8Array.from(map, (score) => (score + next() > 1.4 ? 1 : 0));
    for (let image = 0; image < 6; image++) pixels.add(map, mask);
    const weightings = resampleImages([0, 1, 0, 1, 1, 1], { resamples: 50 });
    const { auroc: area, aupro, weighted } = pixels.result({ weightings });
    for (const drawn of weighted) {
      expect(drawn!.auroc).to.be.closeTo(area, 1e-12);
      expect(drawn!.aupro[0]).to.be.closeTo(aupro[0]!, 1e-12);
    }
  });

  it("says which option is out of range", () => {
    expect(() => resampleImages(labels, { resamples: 0 })).to.throw(RangeError, "resamples must be a whole");
    expect(() => imageIntervals(labels, labels, { level: 0 })).to.throw(RangeError, "level must be between");
    expect(() => imageIntervals([1, 1], [1, 2])).to.throw(RangeError, "auroc: both classes are needed");
  });
});
