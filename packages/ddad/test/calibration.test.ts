/** What is kept of held-out good pictures, and the thresholds that follow. */
import { expect } from "chai";
import { calibrationDifferences, calibrationOf, falseAlarmThreshold } from "../src/calibration.ts";
import { DataError } from "../src/errors.ts";
import { smallConfig } from "./small.ts";

const maps = [Float32Array.of(0.5, 1), Float32Array.of(0.7, 2)];
const scales = { pixel: 0.5 };

describe("calibrationOf", () => {
  it("refuses what no threshold can be made of", () => {
    const config = smallConfig();
    expect(() => calibrationOf(config, { scales, scores: [1], maps })).to.throw(DataError, "there is one");
    expect(() => calibrationOf(config, { scales, scores: [1, Number.NaN], maps })).to.throw(
      RangeError,
      "a held-out good picture scores NaN",
    );
    expect(() => calibrationOf(config, { scales: { pixel: 0 }, scores: [1, 2], maps })).to.throw(
      RangeError,
      "the largest pixel distances of held-out good pictures are 0 in the mean",
    );
  });

  it("holds for the neighbours that PatchCore scores by, which say nothing of DDAD", () => {
    const method = { method: "patchcore", features: { network: "resnet18" } } as const;
    const config = smallConfig(method);
    const calibration = calibrationOf(config, { scores: [1, 2], maps });
    expect(calibrationDifferences(calibration, config)).to.deep.equal([]);
    const one = { ...config, patchcore: { ...config.patchcore, neighbours: 1 } };
    expect(calibrationDifferences(calibration, one)).to.deep.equal([
      "patchcore.neighbours 1 (calibrated: 9)",
    ]);
    const ddad = smallConfig();
    const other = { ...ddad, patchcore: { ...ddad.patchcore, neighbours: 1 } };
    expect(
      calibrationDifferences(calibrationOf(ddad, { scales, scores: [1, 2], maps }), other),
    ).to.deep.equal([]);
  });
});

describe("falseAlarmThreshold", () => {
  const scores = Array.from({ length: 99 }, (_, i) => (i + 1) / 100);
  it("is the score that the given share of good pictures exceeds", () => {
    expect(falseAlarmThreshold(scores, 0.1)).to.equal(0.9);
    expect(falseAlarmThreshold([...scores].reverse(), 0.01)).to.equal(0.99);
  });
  it("lies beyond all scores where they are too few for the share, and farther the fewer they are", () => {
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
      /at least two held-out good pictures, but there is one/,
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
