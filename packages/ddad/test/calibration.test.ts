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

describe("a threshold from few scores", () => {
  it("is never below the largest of them", () => {
    const outlier = [...Array.from({ length: 19 }, (_, i) => 1 + i / 1000), 10];
    expect(falseAlarmThreshold(outlier, 0.01)).to.equal(10);
  });
  it("stays among numbers of their size where one is 0", () => {
    const scores = [0, 0.9, 1, 1.1, 1.2];
    expect(falseAlarmThreshold(scores, 0.01)).to.be.within(1.2, 5);
  });
});
