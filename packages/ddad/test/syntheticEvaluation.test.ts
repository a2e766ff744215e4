import { expect } from "chai";
import { stackImages } from "../src/data/imageSet.ts";
import { generateProcedural } from "../src/data/procedural/generate.ts";
import { syntheticKinds } from "../src/data/synthetic/layDefect.ts";
import { type SyntheticTestSet, syntheticTestSet } from "../src/data/synthetic/syntheticTestSet.ts";
import type { Inspection } from "../src/detection/inspect.ts";
import { evaluateInspections } from "../src/evaluation/evaluation.ts";
import { smallConfig } from "./small.ts";

const count = 8;
const size = 32;
const drawn = [
  ...generateProcedural({ category: "gear", size, train: count, testGood: 0, testPerDefect: 0 }),
];
const images = stackImages(
  drawn.map(({ image }) => image),
  count,
  size,
);
const set: SyntheticTestSet = syntheticTestSet({ images, ids: drawn.map((_, i) => `${i}.png`) }, { seed: 3 });

/** Inspections whose maps are made from the masks. */
const inspections = (map: (mask: Uint8Array) => Float32Array): Inspection[] =>
  set.samples.map(({ id }, i) => {
    const found = map(set.masks[i]!);
    return { id, score: Math.max(...found), map: found, mapSize: size, reconstruction: new Float32Array(0) };
  });

describe("evaluation on synthetic defects", () => {
  const config = smallConfig();
  const { precision, sampling, detection } = config;
  const { network, imageSize } = config.features;
  const { falseAlarmRate: _, pixelFalseAlarmRate: __, ...rest } = detection;
  const calibration = {
    ...{ scales: { pixel: 1 }, scores: [0.1, 0.2, 0.3], pixels: [{ fraction: 0.01, score: 1 }] },
    ...{ precision, features: { network, imageSize }, sampling, detection: rest },
  };

  it("takes the set, and finds everything where maps are the masks", async () => {
    const { result } = await evaluateInspections(
      inspections((mask) => Float32Array.from(mask)),
      config,
      set,
      { calibration },
    );
    expect(result.images).to.equal(count * 4);
    expect(result.image.auroc).to.equal(1);
    expect(result.pixel!.auroc).to.equal(1);
    expect(result.pixel!.aupro30).to.be.closeTo(1, 1e-12);
    expect(result.kinds.map(({ kind, images }) => [kind, images])).to.deep.equal(
      syntheticKinds.map((kind) => [kind, count]),
    );
  });

  it("finds nothing where maps are the opposite", async () => {
    const { result } = await evaluateInspections(
      inspections((mask) => Float32Array.from(mask, (value) => 1 - value)),
      config,
      set,
      { calibration },
    );
    expect(result.pixel!.auroc).to.equal(0);
    expect(result.pixel!.aupro30).to.be.below(0.2);
  });
});
