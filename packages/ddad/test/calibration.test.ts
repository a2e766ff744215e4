/** What is kept of held-out good images, and the thresholds that follow. */
import { expect } from "chai";
import { createRandom } from "../src/data/procedural/noise.ts";
import { calibrate } from "../src/detection/calibrate.ts";
import { buildCalibration, calibrationDifferences } from "../src/detection/calibration.ts";
import type { Extractor } from "../src/detection/features.ts";
import type { Denoiser } from "../src/diffusion/denoiser.ts";
import { DataError } from "../src/errors.ts";
import { ScoreCounts } from "../src/metrics/scoreCounts.ts";
import { smallConfig, smallImages } from "./small.ts";

/** Held-out images of two pixels each, which score this. */
const heldOut = (...scores: number[]) =>
  scores.map((score, k) => ({ score, map: Float32Array.of(0.5 + k / 4, 1 + k) }));
const scales = { scales: { pixel: 0.5 } };

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
    const nothing = await refusal(config, heldOut(1, 2), { scales: { pixel: 0 } });
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
