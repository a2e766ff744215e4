/** Thresholds for a rate of false alarms, and what they promise. */
import { expect } from "chai";
import { createRandom } from "../src/data/procedural/noise.ts";
import {
  describeExcess,
  describeExtrapolation,
  describeFalseAlarms,
  falseAlarmThreshold,
  largestFalseAlarmRate,
  lowestFalseAlarmRate,
  probabilityOfAtLeast,
} from "../src/detection/falseAlarms.ts";

describe("falseAlarmThreshold", () => {
  const scores = Array.from({ length: 99 }, (_, i) => (i + 1) / 100);
  it("is the score that the given fraction of good images exceeds", () => {
    expect(falseAlarmThreshold(scores, 0.1)).to.equal(0.9);
    expect(falseAlarmThreshold([...scores].reverse(), 0.01)).to.equal(0.99);
  });
  it("lies beyond all scores where they are too few for the fraction, and farther the fewer they are", () => {
    const few = [1, 1.1, 1.2, 0.9, 1];
    const threshold = falseAlarmThreshold(few, 0.01);
    expect(threshold).to.be.within(1.4, 2.5);
    expect(falseAlarmThreshold(few.slice(0, 3), 0.01)).to.be.above(threshold);
    // Log-normal scores of deviation 0.1: Student's 1 % quantile with 4 degrees of freedom is 3.747.
    const logs = [-0.1, -0.1, 0, 0.1, 0.1].map((log) => Math.exp(log));
    expect(Math.log(falseAlarmThreshold(logs, 0.01))).to.be.closeTo(3.747 * 0.1 * Math.sqrt(1.2), 4e-3);
  });
  it("refuses a single score", () => {
    expect(() => falseAlarmThreshold([1], 0.1)).to.throw(
      /at least two held-out good images, but there is one/,
    );
  });
  it("is extrapolated, and said to be, exactly where it is beyond all scores", () => {
    for (const [count, rate] of [
      [9, 0.1],
      [19, 0.05],
      [99, 0.01],
      [999, 0.001],
    ] as const) {
      expect(describeExtrapolation(count, rate)).to.equal(undefined);
      expect(describeExtrapolation(count - 1, rate)).to.match(
        new RegExp(
          `^${count - 1} good images cannot support a false-alarm rate below 1 in ${count}, .*falseAlarmRate is ${rate}: .* at least ${count} good images, or set detection\\.falseAlarmRate=`,
        ),
      );
      const rising = Array.from({ length: count }, (_, i) => 1 + i / count);
      expect(rising).to.include(falseAlarmThreshold(rising, rate));
      expect(falseAlarmThreshold(rising.slice(1), rate)).to.be.above(rising.at(-1)!);
    }
  });
  it("is the largest score without a rate, the lowest rate that so many support", () => {
    for (const count of [2, 22, 49, 99, 1000]) {
      const rising = Array.from({ length: count }, (_, i) => 1 + i / count);
      expect(falseAlarmThreshold(rising)).to.equal(rising.at(-1));
      expect(falseAlarmThreshold(rising, lowestFalseAlarmRate(count)), `${count}`).to.equal(rising.at(-1));
      expect(describeExtrapolation(count)).to.equal(undefined);
    }
  });
  it("names the setting as it was given", () => {
    expect(describeExtrapolation(36, 0.01, "--false-alarm-rate")).to.equal(
      "36 good images cannot support a false-alarm rate below 1 in 37, but --false-alarm-rate is 0.01: the threshold is " +
        "extrapolated. Calibrate with at least 99 good images, or set --false-alarm-rate=0.028.",
    );
  });
  it("advises a rate that is supported", () => {
    for (let count = 2; count < 300; count++) {
      const advised = /detection\.falseAlarmRate=([\d.]+)\.$/.exec(describeExtrapolation(count, 1e-4)!)![1];
      expect(describeExtrapolation(count, Number(advised)), `${count}`).to.equal(undefined);
    }
  });
  it("keeps its bits for the rates of stored configurations", () => {
    // As version 0.1 ranked them.
    const before = (count: number, rate: number): number => Math.ceil((count + 1) * (1 - rate));
    for (const rate of [0.001, 0.002, 0.005, 0.01, 0.02, 0.025, 0.05, 0.1, 0.2, 0.25, 0.34, 0.5]) {
      for (let count = 2; count < 1200; count++) {
        const rank = before(count, rate);
        if (rank > count) expect(describeExtrapolation(count, rate), `${count}, ${rate}`).to.be.a("string");
        else {
          const rising = Array.from({ length: count }, (_, i) => i);
          expect(falseAlarmThreshold(rising, rate), `${count}, ${rate}`).to.equal(rank - 1);
        }
      }
    }
  });
  it("is said in words that need no statistics", () => {
    expect(describeFalseAlarms(22)).to.equal(
      "About 1 in 23 good parts will be stopped (at most 1 in 7, 95 % confidence), if they look like the calibration images. " +
        "To promise 1 in 100, calibrate with at least 99 good images.",
    );
    expect(describeFalseAlarms(99)).to.equal(
      "About 1 in 100 good parts will be stopped (at most 1 in 33, 95 % confidence), if they look like the calibration images.",
    );
    expect(describeFalseAlarms(120)).to.equal(
      "About 1 in 121 good parts will be stopped (at most 1 in 40, 95 % confidence), if they look like the calibration images. " +
        "With detection.falseAlarmRate=0.01 more defects are found, and 1 in 100 is stopped.",
    );
    expect(describeFalseAlarms(120, 0.05)).to.match(
      /^About 1 in 20 good parts .* \(at most 1 in 11, .* images\.$/,
    );
    expect(describeFalseAlarms(120, 0.34)).to.match(/^About 34 % of the good parts .* \(at most 1 in 2, /);
    expect(describeFalseAlarms(2)).to.match(/^About 1 in 3 good parts .* \(at most 78 %, /);
    expect(describeFalseAlarms(36, 0.01)).to.equal(
      "36 good images cannot support a false-alarm rate below 1 in 37, but detection.falseAlarmRate is 0.01: the threshold is " +
        "extrapolated. Calibrate with at least 99 good images, or set detection.falseAlarmRate=0.028.",
    );
  });
  it("is never below the largest of few scores", () => {
    const outlier = [...Array.from({ length: 19 }, (_, i) => 1 + i / 1000), 10];
    expect(falseAlarmThreshold(outlier, 0.01)).to.equal(10);
  });
  it("stays among numbers of the scores' size where one of few is 0", () => {
    const scores = [0, 0.9, 1, 1.1, 1.2];
    expect(falseAlarmThreshold(scores, 0.01)).to.be.within(1.2, 5);
  });
});

describe("the promise of a threshold", () => {
  /** False-alarm rates that thresholds of `count` scores have on new scores of the same distribution. */
  function rates(count: number, rate: number | undefined, draw: () => number): number[] {
    return Array.from({ length: 1000 }, () => {
      const threshold = falseAlarmThreshold(Array.from({ length: count }, draw), rate);
      const stopped = Array.from({ length: 100 }, draw).filter((score) => score >= threshold);
      return stopped.length / 100;
    });
  }
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;

  for (const [name, shape] of [
    ["even", (x: number) => 1 + x],
    ["heavy-tailed", (x: number) => (1 - x) ** -2],
    ["two-humped", (x: number) => (x < 0.9 ? x : 10 + x)],
  ] as const) {
    it(`holds on average for ${name} scores, and is the lowest rate that so many support`, () => {
      const random = createRandom(11);
      for (const count of [4, 12, 36]) {
        for (const rate of [undefined, 0.2, 0.34]) {
          const expected = (count - thresholdOf(count, rate) + 1) / (count + 1);
          expect(expected, `${count}, ${rate}`).to.be.at.most((rate ?? lowestFalseAlarmRate(count)) + 1e-12);
          // Four standard errors of the mean of Beta-distributed rates.
          const error = 4 * Math.sqrt((expected * (1 - expected)) / 1000 / 4 + expected / 100_000);
          expect(mean(rates(count, rate, () => shape(random()))), `${count}, ${rate}`).to.be.closeTo(
            expected,
            error,
          );
        }
      }
    });
  }

  /** Rank of the threshold among the rising scores. */
  const thresholdOf = (count: number, rate: number | undefined): number =>
    falseAlarmThreshold(
      Array.from({ length: count }, (_, i) => i + 1),
      rate,
    );

  it("is kept below its bound with 95 % confidence", () => {
    const random = createRandom(5);
    for (const [count, rate] of [
      [12, undefined],
      [36, undefined],
      [36, 0.2],
    ] as const) {
      // The rate is uniform scores' distance of the threshold from 1.
      const below = Array.from({ length: 4000 }, () => {
        const threshold = falseAlarmThreshold(Array.from({ length: count }, random), rate);
        return Number(1 - threshold <= largestFalseAlarmRate(count, rate)!);
      });
      expect(mean(below), `${count}, ${rate}`).to.be.closeTo(0.95, 0.014);
    }
    expect(largestFalseAlarmRate(12)).to.be.closeTo(1 - 0.05 ** (1 / 12), 1e-9);
    expect(largestFalseAlarmRate(36, 0.01), "extrapolated").to.equal(undefined);
  });

  it("is said to be broken where that would be a rare chance", () => {
    // Of 32 scores the largest 6 are all among the 20 new ones, in so many of the orders.
    const exact = (20 * 19 * 18 * 17 * 16 * 15) / (32 * 31 * 30 * 29 * 28 * 27);
    expect(probabilityOfAtLeast(6, 20, 12)).to.be.closeTo(exact, 1e-12);
    expect(probabilityOfAtLeast(0, 20, 12)).to.be.closeTo(1, 1e-12);
    expect(probabilityOfAtLeast(0, 50, 36, 0.2)).to.be.closeTo(1, 1e-12);
    expect(describeExcess(6, 20, 12)).to.equal(
      "6 of 20 good test images are called defective, but the calibration promises about 1 in 13: they differ from the 12 calibration images, " +
        "in light or pose, or because those show parts that were trained on, too. Calibrate on good images of other parts, taken like the new ones (ddad calibrate --good FOLDER).",
    );
    expect(describeExcess(5, 20, 12)).to.equal(undefined);
    expect(describeExcess(20, 20, 12, 0.01), "extrapolated").to.equal(undefined);
    const random = createRandom(7);
    const rate = 0.2;
    const surprised = Array.from({ length: 2000 }, () => {
      const threshold = falseAlarmThreshold(Array.from({ length: 24 }, random), rate);
      const stopped = Array.from({ length: 40 }, random).filter((score) => score >= threshold);
      return Number(describeExcess(stopped.length, 40, 24, rate) !== undefined);
    });
    expect(mean(surprised)).to.be.within(0.01, 0.065);
  });
});
