/** What is kept of held-out good images, and the thresholds that follow. */
import { expect } from "chai";
import { createRandom } from "../src/data/procedural/noise.ts";
import {
  buildCalibration,
  calibrationDifferences,
  describeExtrapolation,
  describeFalseAlarms,
  falseAlarmThreshold,
  lowestFalseAlarmRate,
} from "../src/detection/calibration.ts";
import type { Extractor } from "../src/detection/features.ts";
import { calibrate } from "../src/detection/inspect.ts";
import type { Denoiser } from "../src/diffusion/denoiser.ts";
import { DataError } from "../src/errors.ts";
import { ScoreCounts } from "../src/metrics/scoreCounts.ts";
import { smallConfig, smallImages } from "./small.ts";

/** Held-out images of two pixels each, which score this. */
const heldOut = (...scores: number[]) =>
  scores.map((score, k) => ({ score, map: Float32Array.of(0.5 + k / 4, 1 + k) }));
const scales = { pixel: 0.5 };

describe("buildCalibration", () => {
  it("refuses what no threshold can be made of", async () => {
    const refusal = (...args: Parameters<typeof buildCalibration>): Promise<unknown> =>
      buildCalibration(...args).catch((error: unknown) => error);
    const config = smallConfig();
    const single = await refusal(config, heldOut(1), scales);
    expect(single).to.be.instanceOf(DataError).with.property("message").that.includes("there is one");
    const unclear = await refusal(config, heldOut(1, Number.NaN), scales);
    expect(unclear).to.be.instanceOf(RangeError);
    expect(String(unclear)).to.include("a held-out good image scores NaN");
    const nothing = await refusal(config, heldOut(1, 2), { pixel: 0 });
    expect(nothing).to.be.instanceOf(RangeError);
    expect(String(nothing)).to.include(
      "the largest pixel distances of held-out good images are 0 in the mean",
    );
  });

  it("holds for the neighbours that PatchCore scores by, which say nothing of DDAD", async () => {
    const method = { method: "patchcore", features: { network: "resnet18" } } as const;
    const config = smallConfig(method);
    const calibration = await buildCalibration(config, heldOut(1, 2));
    expect(calibrationDifferences(calibration, config)).to.deep.equal([]);
    const one = { ...config, patchcore: { ...config.patchcore, neighbours: 1 } };
    expect(calibrationDifferences(calibration, one)).to.deep.equal([
      "patchcore.neighbours 1 (calibrated: 9)",
    ]);
    const ddad = smallConfig();
    const other = { ...ddad, patchcore: { ...ddad.patchcore, neighbours: 1 } };
    expect(calibrationDifferences(await buildCalibration(ddad, heldOut(1, 2), scales), other)).to.deep.equal(
      [],
    );
  });

  it("keeps the scores that fractions of all pixels reach, to a 16384th", async () => {
    const random = createRandom(3);
    const maps = Array.from({ length: 5 }, () => Float32Array.from({ length: 40_000 }, () => random() ** 4));
    const inspections = maps.map((map) => ({ score: 1, map }));
    const { pixels } = await buildCalibration(smallConfig(), inspections);
    const sorted = maps.flatMap((map) => [...map]).sort((a, b) => b - a);
    for (const { fraction, score } of pixels) {
      const exact = sorted[Math.floor(fraction * sorted.length) - 1]!;
      expect(score, `${fraction}`).to.be.within(exact * (1 - 2 ** -14), exact);
    }
    expect(pixels.at(-1)!.fraction).to.equal(1e-5);
  });

  it("keeps scores that are 0, or below it", async () => {
    const map = Float32Array.of(-2, -0, 0, 0);
    const { pixels } = await buildCalibration(
      smallConfig(),
      [1, 2].map((score) => ({ score, map })),
    );
    expect(pixels.every(({ score }) => score === 0)).to.equal(true);
    const counts = new ScoreCounts();
    counts.add(map);
    expect(counts.reachedBy(0.75)).to.equal(0);
    expect(counts.reachedBy(1)).to.be.within(-2 * (1 + 2 ** -14), -2);
  });
});

describe("calibrate", () => {
  it("comes to the same where distances are recomputed instead of remembered", async () => {
    const config = smallConfig({ features: { network: "resnet18" }, sampling: { eta: 1 } });
    const denoiser: Denoiser = { forward: (x) => x.mul(0.1) };
    const extractor: Extractor = {
      features: (x, names) => Object.fromEntries(names.map((name) => [name, x])) as never,
    };
    const images = smallImages(5, 3);
    const remembered = await calibrate({ config, denoiser, extractor }, images);
    const twoImages = 2 * 2 * 4 * 8 * 8;
    for (const cacheBytes of [0, twoImages]) {
      const calibration = await calibrate({ config, denoiser, extractor }, images, { cacheBytes });
      expect(calibration).to.deep.equal(remembered);
    }
  });
});

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
      "About 1 in 23 good parts will be stopped. To promise 1 in 100, calibrate with at least 99 good images.",
    );
    expect(describeFalseAlarms(99)).to.equal("About 1 in 100 good parts will be stopped.");
    expect(describeFalseAlarms(120)).to.equal(
      "About 1 in 121 good parts will be stopped. With detection.falseAlarmRate=0.01 more defects are found, and 1 in 100 is stopped.",
    );
    expect(describeFalseAlarms(120, 0.05)).to.equal("About 1 in 20 good parts will be stopped.");
    expect(describeFalseAlarms(120, 0.34)).to.equal("About 34 % of the good parts will be stopped.");
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
