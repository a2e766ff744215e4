import { expect } from "chai";
import type { Config } from "../src/config/schema.ts";
import { buildCalibration, type Calibration } from "../src/detection/calibration.ts";
import type { Inspection } from "../src/detection/inspect.ts";
import { DataError } from "../src/errors.ts";
import {
  cropMask,
  evaluateInspections,
  type LabelledImage,
  type TestSet,
} from "../src/evaluation/evaluation.ts";
import { aupro } from "../src/metrics/aupro.ts";
import { auroc, averagePrecision, f1Max } from "../src/metrics/curves.ts";
import { PublishedPixelMetrics, youdenThreshold } from "../src/metrics/published.ts";
import { hashCalibration, hashTestSet } from "../src/report/protocol.ts";
import { stream } from "./metricsBruteForce.ts";
import { smallConfig } from "./small.ts";

const size = 8;
const kinds = ["good", "good", "good", "spot", "spot", "crack", "crack"];

const samples = kinds.map(
  (kind, i): LabelledImage => ({ id: `test/${kind}/${i}.png`, label: kind === "good" ? 0 : 1, kind }),
);

/** Defects in the middle, with a border that is defective in part. */
const coverage = samples.map(({ label }, image) =>
  Uint8Array.from({ length: size * size }, (_, i) => {
    const [x, y] = [i % size, Math.floor(i / size)];
    const inside = x >= 2 && x < 6 && y >= 2 && y < 3 + (image % 3);
    return label === 0 || !inside ? 0 : x === 2 ? 90 : 255;
  }),
);

const set: TestSet = {
  dataset: "parts",
  category: "cog",
  samples,
  images: {
    count: 7,
    size,
    data: Uint8Array.from({ length: 7 * size * size * 3 }, (_, i) => (i * 7) % 251),
  },
  masks: coverage.map((mask) => mask.map((value) => (value > 127 ? 1 : 0))),
};

const next = stream(8);
const maps = coverage.map((mask) => Float32Array.from(mask, (value) => next() + (0.4 * value) / 255));

const inspections = (crop = size): Inspection[] =>
  samples.map(({ id }, i) => {
    const offset = (size - crop) / 2;
    const map = maps[i]!.filter((_, pixel) => {
      const [x, y] = [(pixel % size) - offset, Math.floor(pixel / size) - offset];
      return x >= 0 && x < crop && y >= 0 && y < crop;
    });
    return { id, score: Math.max(...map), map, mapSize: crop, reconstruction: new Float32Array(0) };
  });

const calibrationFor = ({
  precision,
  features: { network, imageSize },
  sampling,
  detection,
}: Config): Calibration => {
  const { falseAlarmRate: _, pixelFalseAlarmRate: __, ...rest } = detection;
  return {
    ...{ scales: { pixel: 1 }, scores: [0.5, 0.9, 1.1], pixels: [{ fraction: 0.01, score: 1 }] },
    ...{ precision, features: { network, imageSize }, sampling, detection: rest },
  };
};

const labels = samples.map(({ label }) => label);
const scores = maps.map((map) => Math.max(...map));
const ofKind = (kind: string) =>
  samples.flatMap((sample, i) => (sample.label === 0 || sample.kind === kind ? [i] : []));
const pick = <T>(values: readonly T[], indices: readonly number[]): T[] => indices.map((i) => values[i]!);

describe("evaluation", () => {
  it("measures by the strict protocol: everything exact, each kind by itself", async () => {
    const config = smallConfig();
    const calibration = calibrationFor(config);
    const { result, kinds: found } = await evaluateInspections(inspections(), config, set, { calibration });
    const masks = set.masks!;
    const all = (arrays: readonly ArrayLike<number>[]) => arrays.flatMap((values) => Array.from(values));
    expect(result.image).to.deep.equal({
      auroc: auroc(labels, scores),
      ap: averagePrecision(labels, scores),
      f1Max: f1Max(labels, scores).f1,
    });
    const pixel = result.pixel!;
    expect(pixel.auroc).to.be.closeTo(auroc(all(masks), all(maps)), 1e-12);
    expect(pixel.ap).to.be.closeTo(averagePrecision(all(masks), all(maps)), 1e-12);
    expect(pixel.aupro30).to.be.closeTo(aupro(maps, masks, { limit: 0.3 }), 1e-12);
    expect(pixel.aupro05).to.be.closeTo(aupro(maps, masks, { limit: 0.05 }), 1e-12);
    expect(result).to.not.have.property("exact");

    expect(result.kinds).to.equal(found);
    expect(found.map(({ kind, images }) => [kind, images])).to.deep.equal([
      ["spot", 2],
      ["crack", 2],
    ]);
    for (const { kind, auroc: area, pixel: part } of found) {
      const members = ofKind(kind);
      expect(area).to.equal(auroc(pick(labels, members), pick(scores, members)));
      const [theirMasks, theirMaps] = [pick(masks, members), pick(maps, members)];
      expect(part!.auroc).to.be.closeTo(auroc(all(theirMasks), all(theirMaps)), 1e-12);
      expect(part!.aupro30).to.be.closeTo(aupro(theirMaps, theirMasks, { limit: 0.3 }), 1e-12);
    }
    const { intervals } = result;
    expect(intervals.level).to.equal(0.95);
    expect(result.image.auroc).to.be.within(...intervals.image.auroc);
    expect(pixel.auroc).to.be.within(...intervals.pixel!.auroc);
    expect(pixel.aupro30).to.be.within(...intervals.pixel!.aupro30);
    expect(intervals.pixel!.auroc[0]).to.be.below(intervals.pixel!.auroc[1]);
  });

  it("measures by the paper's protocol: as published, and says what is exact", async () => {
    const config = smallConfig({ protocol: "paper", detection: { crop: 6 } });
    const { result } = await evaluateInspections(inspections(6), config, { ...set, coverage });
    const published = new PublishedPixelMetrics();
    for (const [i, { map }] of inspections(6).entries()) {
      const cropped = coverage[i]!.filter((_, at) => {
        const [x, y] = [at % size, Math.floor(at / size)];
        return x > 0 && x < 7 && y > 0 && y < 7;
      });
      published.add(
        map,
        Float32Array.from(cropped, (value) => value / 255),
      );
    }
    const exact = published.exact.result();
    expect(result.pixel).to.deep.equal({
      auroc: exact.auroc,
      ap: exact.ap,
      aupro30: published.pro().pro,
      aupro05: exact.aupro[1],
    });
    expect(result.exact).to.deep.equal({ aupro30: exact.aupro[0] });
    expect(result.threshold).to.equal(
      youdenThreshold(
        labels,
        inspections(6).map(({ score }) => score),
      ),
    );
    const { masks, metrics, threshold, resolution } = result.protocolBlock;
    expect(masks).to.equal("bilinear, above 0; PRO's regions 1");
    expect(metrics.pixel!.aupro30).to.equal("200 linear thresholds, as published");
    expect(threshold).to.deep.equal({ source: "test set, largest tpr - fpr" });
    expect(resolution).to.deep.equal({ input: 8, scored: 6 });
    const plain = await evaluateInspections(inspections(6), config, set);
    expect(plain.result.protocolBlock.masks).to.equal("nearest, any non-zero");
  });

  it("stamps the result with how it was made", async () => {
    const config = smallConfig();
    const calibration = calibrationFor(config);
    const { result } = await evaluateInspections(
      inspections(),
      config,
      { ...set, split: "ab12" },
      {
        calibration,
        device: "an adapter",
        adaptedSteps: 7,
        bootstrap: { resamples: 40, seed: 3 },
      },
    );
    const { seconds, ...block } = result.protocolBlock;
    expect(seconds).to.be.above(0);
    expect(block).to.deep.equal({
      protocol: "strict",
      method: "ddad",
      precision: "f32",
      data: {
        dataset: "parts",
        category: "cog",
        images: 7,
        good: 3,
        sha256: await hashTestSet(set),
        heldOut: 0.25,
        split: "ab12",
      },
      seeds: {
        training: config.training.seed,
        sampling: config.sampling.seed,
        split: config.data.splitSeed,
        bootstrap: 3,
      },
      resolution: { input: 8, scored: 8 },
      sampling: config.sampling,
      features: { network: "none", adaptedSteps: 7 },
      detection: config.detection,
      normaliser: "constants calibrated on held-out good images",
      masks: "nearest, any non-zero",
      metrics: {
        image: "exact",
        pixel: { auroc: "exact", ap: "exact", aupro30: "exact", aupro05: "exact" },
        bootstrap: { resamples: 40, level: 0.95 },
      },
      threshold: {
        source: "held-out good images",
        images: 3,
        falseAlarmRate: 0.25,
        calibration: await hashCalibration(calibration),
      },
      checkpoint: "lowest denoising loss on held-out good images",
      device: "an adapter",
    });
    expect(JSON.parse(JSON.stringify(result))).to.deep.equal(result);
  });

  it("says of PatchCore what it was made with, and of no training", async () => {
    const config = smallConfig({ method: "patchcore", features: { network: "resnet18" } });
    const heldOut = [0.5, 0.9, 1.1].map((score, k) => ({ score, map: maps[k]! }));
    const calibration = await buildCalibration(config, heldOut);
    const { result } = await evaluateInspections(inspections(), config, set, { calibration });
    const { protocolBlock } = result;
    expect(protocolBlock).to.deep.include({
      method: "patchcore",
      patchcore: config.patchcore,
      features: { network: "resnet18", adaptedSteps: 0 },
    });
    expect(protocolBlock).to.not.have.any.keys("sampling", "checkpoint");
  });

  it("never picks the threshold on the test set by the strict protocol", async () => {
    const refused = await evaluateInspections(inspections(), smallConfig(), set).catch(
      (error: unknown) => error,
    );
    expect(refused).to.be.instanceOf(DataError);
    expect(String(refused)).to.match(/from held-out good images, never from the test set/);
  });

  it("takes the time of an inspection from the inspection, where it says it", async () => {
    const config = smallConfig({ protocol: "paper", detection: { crop: 6 } });
    const timed = inspections(6).map((inspection, i) => ({ ...inspection, milliseconds: 10 * (i + 1) }));
    const { result } = await evaluateInspections(timed, config, set);
    expect(result.msPerImage).to.deep.equal({ p50: 40, p95: 70 });
  });

  it("crops masks like maps: what lies outside the image is good", () => {
    const mask = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
    expect([...cropMask(mask, 4, 2)]).to.deep.equal([6, 7, 10, 11]);
    expect([...cropMask(Uint8Array.of(1, 2, 3, 4), 2, 4)]).to.deep.equal([
      ...[0, 0, 0, 0],
      ...[0, 1, 2, 0],
      ...[0, 3, 4, 0],
      ...[0, 0, 0, 0],
    ]);
    expect(cropMask(mask, 4, 0)).to.equal(mask);
  });

  it("hashes what was tested: images, truth and names, not how a mask is stored", async () => {
    const hash = await hashTestSet(set);
    expect(hash).to.match(/^[0-9a-f]{64}$/);
    expect(await hashTestSet({ ...set, masks: set.masks!.map((mask) => mask.map((v) => v * 255)) })).to.equal(
      hash,
    );
    const data = set.images.data.slice();
    data[500]! ^= 1;
    const masks = set.masks!.map((mask) => mask.slice());
    masks[4]![63] = 1;
    const renamed = samples.map((sample, i) => (i === 2 ? { ...sample, id: "test/good/x.png" } : sample));
    for (const other of [
      { ...set, images: { ...set.images, data } },
      { ...set, masks },
      { ...set, masks: undefined },
      { ...set, samples: renamed },
    ]) {
      expect(await hashTestSet(other)).to.not.equal(hash);
    }
  });

  it("leaves pixel intervals out where a resample may have no defect", async () => {
    const masks = set.masks!.map((mask, i) => (i === 4 ? mask : new Uint8Array(size * size)));
    const config = smallConfig();
    const calibration = calibrationFor(config);
    const { result } = await evaluateInspections(inspections(), config, { ...set, masks }, { calibration });
    expect(result.pixel!.auroc).to.be.within(0, 1);
    expect(result.intervals).to.not.have.property("pixel");
    expect(result.kinds[0]).to.have.property("pixel");
    expect(result.kinds[1]).to.not.have.property("pixel");
  });

  it("says at once what cannot be measured", async () => {
    const config = smallConfig();
    const evaluate = async (changed: Partial<TestSet>, given = inspections()): Promise<Error> => {
      const calibration = calibrationFor(config);
      return evaluateInspections(given, config, { ...set, ...changed }, { calibration }).then(
        () => expect.fail("nothing was thrown"),
        (error: Error) => error,
      );
    };
    const empty = set.masks!.map(() => new Uint8Array(size * size));
    const noDefect = await evaluate({ masks: empty });
    expect(noDefect).to.be.instanceOf(DataError);
    expect(noDefect.message).to.match(/No mask has a defective pixel at a size of 8/);
    expect((await evaluate({}, inspections().slice(1))).message).to.match(
      /instead of .*0\.png came .*1\.png/,
    );
    expect((await evaluate({}, inspections().slice(0, 3))).message).to.match(
      /7 test images, but 3 inspections/,
    );
    expect((await evaluate({}, [...inspections(), inspections()[0]!])).message).to.match(
      /instead of the end/,
    );
    const bad = inspections().map((inspection, i) =>
      i === 2 ? { ...inspection, score: Number.NaN } : inspection,
    );
    expect((await evaluate({}, bad)).message).to.match(/score of test\/good\/2.png is not a number/);
    const good = samples.map((sample) => ({ ...sample, label: 1 as const }));
    expect((await evaluate({ samples: good })).message).to.match(/both classes are needed/);
  });
});
