/** The choice of settings on synthetic defects: measured as an evaluation would, the same in every order, and what is refused. */
import { evaluate, ResNet, readSafetensors, tensor } from "@ddad/nn";
import { expect } from "chai";
import { resolveConfig } from "../src/config/parse.ts";
import type { Config, ConfigInput } from "../src/config/schema.ts";
import { gatherPixels, imageAt, type NamedImages, stackImages } from "../src/data/imageSet.ts";
import { uniform } from "../src/data/random.ts";
import { syntheticTestSet } from "../src/data/synthetic/syntheticTestSet.ts";
import { calibrate } from "../src/detection/calibrate.ts";
import { calibrationDifferences, storedCalibrationSchema } from "../src/detection/calibration.ts";
import { chooseSettings, rank } from "../src/detection/choose/chooseSettings.ts";
import type { ChoiceRow } from "../src/detection/choose/chosen.ts";
import { createGridDistances } from "../src/detection/choose/distances.ts";
import { comparisonsOf, defaultGrid, samplingsOf, withComparison } from "../src/detection/choose/grid.ts";
import { measureTrials } from "../src/detection/choose/measure.ts";
import { distanceWeights } from "../src/detection/distance.ts";
import { type Detector, inspect, type ReconstructedInspection } from "../src/detection/inspect.ts";
import { GoodImages } from "../src/detection/nearest.ts";
import { withSearchFeatures } from "../src/detection/searchFeatures.ts";
import { createSchedule, type Denoiser } from "../src/diffusion/denoiser.ts";
import { DataError } from "../src/errors.ts";
import { evaluateDetection } from "../src/evaluation/evaluation.ts";
import type { Image } from "../src/images/image.ts";
import { decodeModel, encodeModel } from "../src/model/modelFile.ts";
import { formatChoice } from "../src/report/choiceTable.ts";

const size = 16;

/** Dark on the left, bright on the right, with grain. */
function goodImages(count: number, seed: number): NamedImages {
  const images = Array.from({ length: count }, (_, image): Image => {
    const data = Uint8Array.from({ length: size * size * 3 }, (_, k) => {
      const column = Math.floor(k / 3) % size;
      return (column < size / 2 ? 60 : 180) + 12 * uniform(seed, image, k);
    });
    return { width: size, height: size, channels: 3, data };
  });
  return {
    images: stackImages(images, count, size),
    ids: images.map((_, k) => `train/good/${seed}-${k}.png`),
  };
}

function config(overrides: Partial<Omit<ConfigInput, "data" | "model">> = {}): Config {
  return resolveConfig({
    ...overrides,
    data: { root: "parts", imageSize: size },
    model: { baseChannels: 32, heads: 1, channelMultipliers: [1], blocksPerLevel: 1 },
  });
}

/** The good image without grain, in [−1, 1]. */
const clean = Float32Array.from({ length: size * size * 3 }, (_, k) =>
  Math.floor(k / 3) % size < size / 2 ? 66 / 127.5 - 1 : 186 / 127.5 - 1,
);

/** Gives the image without grain where it is called at t = 50; at other times noise stays. */
function denoiserAt50(of: Config): Denoiser {
  const alphaBar = createSchedule(of).alphaBar(50);
  const target = tensor(
    clean.map((value) => value * Math.sqrt(alphaBar)),
    [1, size, size, 3],
  );
  return { forward: (x) => x.sub(target).mul(1 / Math.sqrt(1 - alphaBar)) };
}

const network = { block: "basic", layers: [1, 1, 1], baseChannels: 8, lastLayer: "layer3", seed: 5 } as const;

/** Statistics of layers as the network has them. */
const allLayers = Object.fromEntries(
  [8, 16, 32].map((channels, k) => [
    `layer${k + 1}`,
    { mean: Array(channels).fill(0), deviation: Array(channels).fill(1) },
  ]),
);

describe("choice of settings on synthetic defects", () => {
  const heldOut = goodImages(6, 1);
  let bank: GoodImages;
  let extractor: ResNet;
  before(async () => {
    extractor = new ResNet(network).eval();
    await evaluate(...extractor.namedState().values());
    bank = await withSearchFeatures(new GoodImages(goodImages(5, 2).images), extractor);
  });
  after(() => {
    extractor.dispose();
    extractor = undefined as unknown as ResNet;
  });

  const features = { network: "resnet18", imageSize: 32 } as const;
  const detectors: [string, () => Omit<Detector, "calibration">][] = [
    ["ddad", () => ({ config: config({ features }), denoiser: denoiserAt50(config()), extractor })],
    ["nearest", () => ({ config: config({ method: "nearest", features }), goodImages: bank, extractor })],
    ["ddad by pixels", () => ({ config: config(), denoiser: denoiserAt50(config()) })],
  ];
  for (const [name, create] of detectors) {
    it(`measures what calibrating and evaluating gives: ${name}`, async () => {
      const detector = create();
      const comparisons = comparisonsOf(detector.config, defaultGrid);
      const test = syntheticTestSet(goodImages(4, 3), { seed: 1 });
      const distances = createGridDistances(detector.config, detector.extractor, comparisons, 2 ** 20);
      const [measured] = await measureTrials(detector, distances, comparisons, [
        { calibration: heldOut, test },
      ]);
      const forgetful = createGridDistances(detector.config, detector.extractor, comparisons, 0);
      const trial = { calibration: heldOut, test };
      expect(
        await measureTrials(detector, forgetful, comparisons, [trial], { cacheBytes: 0 }),
        "recomputed instead of remembered",
      ).to.deep.equal([measured]);
      const tried = comparisons.length > 0 ? comparisons : [undefined];
      expect(measured).to.have.length(tried.length);
      for (const [k, comparison] of tried.entries()) {
        // Where no pixels count, coarse layers leave many equal values, which rounding puts in any order.
        if (comparison?.pixelWeight === 0) continue;
        const own = comparison ? withComparison(detector.config, comparison) : detector.config;
        const calibration = await calibrate({ ...detector, config: own }, heldOut);
        const { result } = await evaluateDetection({ ...detector, config: own, calibration }, test, {
          controls: [],
          bootstrap: { resamples: 2 },
        });
        const what = JSON.stringify(comparison);
        const found = measured![k]!;
        expect(found.aupro30, what).to.be.closeTo(result.pixel!.aupro30, 1e-3);
        expect(found.pixelAuroc, what).to.be.closeTo(result.pixel!.auroc, 1e-3);
        expect(found.imageAuroc, what).to.be.closeTo(result.image.auroc, 1e-9);
        for (const { kind, pixel } of result.kinds) {
          expect(found.kinds[kind], `${what} ${kind}`).to.be.closeTo(pixel!.aupro30, 1e-3);
        }
      }
    });
  }

  it("adds up the maps that inspecting gives", async () => {
    const detector = { config: config({ method: "nearest", features }), goodImages: bank, extractor };
    const comparisons = comparisonsOf(detector.config, defaultGrid);
    const distances = createGridDistances(detector.config, extractor, comparisons, 0);
    const image = { id: "x", pixels: gatherPixels(goodImages(1, 9).images, [0]) };
    for (const comparison of comparisons) {
      const own = withComparison(detector.config, comparison);
      const calibration = await calibrate({ ...detector, config: own }, heldOut);
      const { value } = await inspect({ ...detector, config: own, calibration }, [image]).next();
      const { map, reconstruction } = value as ReconstructedInspection;
      const compared = await distances.compare(image, tensor(reconstruction, [1, size, size, 3]));
      // Layers that this calibration whitens nothing of are not added up either.
      const whitening = { ...allLayers, ...calibration.whitening };
      const maps = await distances.smooth(await distances.whiten(compared, size, whitening), size);
      const weights = distanceWeights(own, calibration.scales);
      const found = distances.sum(maps, comparison, weights);
      for (const [k, value] of found.entries()) {
        expect(value / map[k]!, JSON.stringify(comparison)).to.be.closeTo(1, 1e-4);
      }
    }
  });

  const byPixels = () => ({ config: config(), denoiser: denoiserAt50(config()) });

  it("finds the time step at which the network reconstructs, in every order of the images", async () => {
    const told: [number, number][] = [];
    const options = { seed: 5, progress: (done: number, count: number) => void told.push([done, count]) };
    const choice = await chooseSettings(byPixels(), heldOut, options);
    expect(choice.config.sampling).to.include({ start: 50, steps: 1, guidance: 0, startNoise: true });
    expect(choice.rows[0]!.aupro30).to.be.greaterThan(choice.present.aupro30 + 0.05);
    expect(choice.present.sampling).to.deep.equal(byPixels().config.sampling);
    // The present settings, three of the four of the grid and the best one with more draws.
    expect(choice.rows).to.have.length(6);
    expect(choice.rows.map(({ calls }) => calls).sort()).to.deep.equal([1, 1, 1, 10, 4, 4].sort());
    expect(choice.chosen).to.deep.include({ on: "synthetic defects", seed: 5, images: 6, defects: 18 });
    expect(told.at(-1)![0]).to.equal(told.at(-1)![1]);
    expect(told).to.have.length(6 * 24);
    const order = [3, 0, 5, 1, 4, 2];
    const shuffled = {
      images: stackImages(
        order.map((k) => imageAt(heldOut.images, k)),
        6,
        size,
      ),
      ids: order.map((k) => heldOut.ids[k]!),
    };
    expect((await chooseSettings(byPixels(), shuffled, { seed: 5 })).chosen).to.deep.equal(choice.chosen);
    const other = await chooseSettings(byPixels(), heldOut, { seed: 6 });
    expect(other.rows[0]!.aupro30).to.not.equal(choice.rows[0]!.aupro30);
    const fewer = await chooseSettings(byPixels(), heldOut, { seed: 5, images: 4, defects: 1 });
    expect(fewer.chosen).to.deep.include({ images: 4, defects: 4 });
    expect(formatChoice(choice))
      .to.match(/^taken +50 +1 +0 +yes +1 +pixels /m)
      .and.match(/^before +100 /m);
  });

  it("chooses among distances for the nearest good image, and its calibration is kept with the mark", async () => {
    const start = config({ method: "nearest", features });
    const detector = { config: start, goodImages: bank, extractor };
    const choice = await chooseSettings(detector, heldOut, { seed: 1, defects: 1 });
    expect(choice.rows).to.have.length(12);
    expect(choice.rows.every(({ sampling, calls }) => sampling === undefined && calls === 0)).to.equal(true);
    expect(choice.rows[0]!.aupro30).to.equal(Math.max(...choice.rows.map(({ aupro30 }) => aupro30)));
    const { layers, ...others } = choice.rows[0]!.comparison!;
    expect(choice.config).to.deep.equal({
      ...start,
      detection: { ...start.detection, ...others, layers },
    });
    const made = await calibrate({ ...detector, config: choice.config }, heldOut);
    const calibration = { ...made, chosen: choice.chosen };
    expect(calibrationDifferences(calibration, choice.config)).to.deep.equal([]);
    const model = { config: choice.config, step: 0, weights: new Map(), goodImages: bank };
    const stored = decodeModel(readSafetensors(encodeModel({ ...model, calibration })));
    expect(stored.calibration).to.deep.equal(calibration);
    const evaluated = async (of: typeof made) =>
      (
        await evaluateDetection(
          { ...detector, config: choice.config, calibration: of },
          syntheticTestSet(goodImages(2, 4), { seed: 1 }),
          { controls: [], bootstrap: { resamples: 2 } },
        )
      ).result.protocolBlock;
    expect(await evaluated(calibration)).to.include({ settings: "chosen on synthetic defects" });
    expect(await evaluated(made)).to.not.have.property("settings");
    expect(storedCalibrationSchema.parse(made), "as written before").to.deep.equal(made);
  });

  it("tries no settings twice, and none that the network was not trained for", () => {
    const starts = (of: Config) => samplingsOf(of, defaultGrid).map(({ start }) => start);
    expect(starts(config())).to.deep.equal([100, 50, 100, 200, 250]);
    expect(starts(config({ sampling: { draws: 1 } }))).to.deep.equal([100, 50, 200, 250]);
    expect(starts(config({ sampling: { start: 60 }, training: { maxTimestep: 150 } }))).to.deep.equal([
      60, 50, 100,
    ]);
    expect(comparisonsOf(config(), defaultGrid)).to.deep.equal([]);
    expect(comparisonsOf(config({ features }), defaultGrid)).to.have.length(12);
    const other = config({ features, detection: { pixelWeight: 0.5 } });
    expect(comparisonsOf(other, defaultGrid)).to.have.length(13);
  });

  it("takes the fewest calls among nearly equal rows, then the best", () => {
    const row = (calls: number, aupro30: number): ChoiceRow => ({
      ...{ calls, aupro30, kinds: {}, pixelAuroc: 0.5, imageAuroc: 0.5 },
    });
    const order = (...rows: ChoiceRow[]) => rank(rows).map(({ calls, aupro30 }) => [calls, aupro30]);
    expect(order(row(1, 0.7), row(4, 0.704), row(1, 0.702), row(10, 0.6))).to.deep.equal([
      [1, 0.702],
      [4, 0.704],
      [1, 0.7],
      [10, 0.6],
    ]);
    expect(order(row(1, 0.7), row(4, 0.71))[0]).to.deep.equal([4, 0.71]);
  });

  it("refuses where there is nothing to choose, or too little to choose by", async () => {
    const refusal = async (detector: Omit<Detector, "calibration">, images = heldOut): Promise<unknown> =>
      chooseSettings(detector, images, { seed: 1 }).catch((error: unknown) => error);
    const paper = await refusal({
      ...byPixels(),
      config: config({ protocol: "paper", detection: { blurSigma: 0.5 } }),
    });
    expect(paper).to.be.instanceOf(DataError).with.property("message").that.includes("paper's protocol");
    for (const method of ["patchcore", "patchcore+nearest"] as const) {
      const patches = await refusal({ config: config({ method, features }), extractor });
      expect(patches)
        .to.be.instanceOf(DataError)
        .with.property("message")
        .that.includes(`method is ${method}`);
    }
    const nearest = await refusal({ config: config({ method: "nearest" }), goodImages: bank });
    expect(nearest).to.be.instanceOf(DataError).with.property("message").that.includes("nothing to choose");
    const few = await refusal(byPixels(), goodImages(3, 1));
    expect(few).to.be.instanceOf(DataError).with.property("message").that.includes("but there are 3");
    const stopped = new AbortController();
    stopped.abort(new Error("enough"));
    const aborted = await chooseSettings(byPixels(), heldOut, { seed: 1, signal: stopped.signal }).catch(
      (error: unknown) => error,
    );
    expect(String(aborted)).to.equal("Error: enough");
  });
});
