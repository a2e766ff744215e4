/** Intervals of counted rates and of perfect areas, and what thresholds chosen for a purpose cost. */
import { expect } from "chai";
import { createRandom } from "../src/data/procedural/noise.ts";
import { auroc } from "../src/metrics/curves.ts";
import { caughtPercentages, presorting, stoppedPercentages } from "../src/metrics/presorting.ts";
import { aurocInterval, clopperPearson } from "../src/metrics/rateIntervals.ts";

const rounded = (values: readonly number[]): number[] => values.map((value) => Math.round(value * 1e4) / 1e4);

describe("the interval of Clopper and Pearson", () => {
  it("has the values of the tables", () => {
    // R: binom.test(k, n)$conf.int
    expect(rounded(clopperPearson(0, 12))).to.deep.equal([0, 0.2646]);
    expect(rounded(clopperPearson(1, 12))).to.deep.equal([0.0021, 0.3848]);
    expect(rounded(clopperPearson(9, 12))).to.deep.equal([0.4281, 0.9451]);
    expect(rounded(clopperPearson(5, 10))).to.deep.equal([0.1871, 0.8129]);
    expect(clopperPearson(0, 12)[1]).to.be.closeTo(1 - 0.025 ** (1 / 12), 1e-12);
    expect(clopperPearson(12, 12)).to.satisfy(
      ([low, high]: number[]) => Math.abs(low! - 0.025 ** (1 / 12)) < 1e-12 && high === 1,
    );
  });

  it("covers less with a lower level, and narrows with more images", () => {
    const [low, high] = clopperPearson(50, 1000);
    expect(low).to.be.within(0.03, 0.05);
    expect(high).to.be.within(0.05, 0.07);
    const narrower = clopperPearson(50, 1000, 0.8);
    expect(narrower[0]).to.be.above(low);
    expect(narrower[1]).to.be.below(high);
    expect(rounded(clopperPearson(4000, 8000))).to.deep.equal([0.489, 0.511]);
  });

  it("refuses counts that cannot be", () => {
    for (const [count, of] of [
      [0, 0],
      [3, 2],
      [-1, 2],
    ] as const)
      expect(() => clopperPearson(count, of)).to.throw(RangeError, "clopperPearson: count must be from 0 to");
  });
});

describe("Newcombe's interval of the AUROC", () => {
  it("says something where the classes are separated perfectly", () => {
    const [low, high] = aurocInterval(1, 12, 12);
    expect(high).to.equal(1);
    expect(low).to.be.within(0.82, 0.84);
    expect(aurocInterval(1, 120, 120)[0]).to.be.above(0.97);
    expect(aurocInterval(0, 12, 12)[1]).to.be.closeTo(1 - low, 1e-9);
  });

  it("holds the area, and ends where its equation does", () => {
    const [m, n, area] = [30, 20, 0.9];
    const more = (m + n) / 2 - 1;
    const [low, high] = aurocInterval(area, m, n);
    expect(area).to.be.within(low, high);
    for (const theta of [low, high]) {
      const variance =
        (theta * (1 - theta) * (1 + (more * (1 - theta)) / (2 - theta) + (more * theta) / (1 + theta))) /
        (m * n);
      expect(Math.abs(area - theta) / Math.sqrt(variance)).to.be.closeTo(1.96, 1e-3);
    }
  });

  it("covers the true area about as often as it says", () => {
    const random = createRandom(5);
    const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    // Φ(1.5 / √2) = 0.8556
    let covered = 0;
    for (let trial = 0; trial < 600; trial++) {
      const scores = Array.from({ length: 40 }, (_, i) => normal() + (i < 20 ? 0 : 1.5));
      const [low, high] = aurocInterval(
        auroc(
          scores.map((_, i) => i >= 20),
          scores,
        ),
        20,
        20,
      );
      if (low <= 0.8556 && 0.8556 <= high) covered++;
    }
    expect(covered / 600).to.be.within(0.92, 0.99);
  });
});

describe("presorting", () => {
  it("counts what is stopped and missed at the thresholds that suffice", () => {
    const good = [0.1, 0.2, 0.3, 0.8];
    const bad = [0.15, 0.7, 0.9];
    const scores = [...good, ...bad];
    const found = presorting(
      scores.map((_, i) => Number(i >= good.length)),
      scores,
    );
    // All defects from 0.15 on: three good ones are at or above it. Nine tenths of three are three.
    expect(found.goodStopped.map(({ count, rate }) => [count, rate])).to.deep.equal(
      caughtPercentages.map(() => [3, 0.75]),
    );
    // None of the good: above 0.8 lies one defect.
    expect(found.defectsMissed.map(({ count }) => count)).to.deep.equal(stoppedPercentages.map(() => 2));
    expect(found.goodStopped.map(({ defectsCaught }) => defectsCaught)).to.deep.equal([90, 95, 99, 100]);
    expect(found.defectsMissed.map(({ goodStopped }) => goodStopped)).to.deep.equal([0, 1, 5, 10]);
  });

  it("is what trying each threshold finds, with equal scores, too", () => {
    const random = createRandom(9);
    for (let trial = 0; trial < 30; trial++) {
      const scores = Array.from({ length: 60 + trial }, (_, i) =>
        Math.round(random() * 20 + (i % 3 ? 0 : 6)),
      );
      const labels = scores.map((_, i) => i % 3 === 0);
      const of = (label: boolean): number[] => scores.filter((_, i) => labels[i] === label);
      const [good, bad] = [of(false), of(true)];
      const tried = [...new Set(scores), Infinity].map((threshold) => ({
        stopped: good.filter((score) => score >= threshold).length,
        missed: bad.filter((score) => score < threshold).length,
      }));
      const found = presorting(labels, scores);
      for (const { defectsCaught, count, threshold } of found.goodStopped) {
        expect(good.filter((score) => score >= threshold!).length).to.equal(count);
        const enough = tried.filter(
          ({ missed }) => 100 * (bad.length - missed) >= defectsCaught * bad.length,
        );
        expect(count).to.equal(Math.min(...enough.map(({ stopped }) => stopped)));
      }
      for (const { goodStopped, count, threshold = Infinity } of found.defectsMissed) {
        expect(bad.filter((score) => score < threshold).length).to.equal(count);
        expect(100 * good.filter((score) => score >= threshold).length).to.be.at.most(
          goodStopped * good.length,
        );
        const few = tried.filter(({ stopped }) => 100 * stopped <= goodStopped * good.length);
        expect(count).to.equal(Math.min(...few.map(({ missed }) => missed)));
      }
    }
  });

  it("has no threshold where no score lies above the good ones", () => {
    const { goodStopped, defectsMissed } = presorting([1, 0], [0.5, 0.5]);
    expect(goodStopped[0]).to.deep.equal({ defectsCaught: 90, rate: 1, count: 1, threshold: 0.5 });
    expect(defectsMissed[0]).to.deep.equal({ goodStopped: 0, rate: 1, count: 1 });
  });

  it("needs both classes", () => {
    expect(() => presorting([0, 0], [1, 2])).to.throw(RangeError, "presorting: both classes are needed");
  });
});
