/** The whitened residual against plain arithmetic, the nearest good image, several draws, and models that hold all of it. */
import { evaluate, ResNet, readSafetensors, tensor } from "@ddad/nn";
import { expect } from "chai";
import { resolveConfig } from "../src/config/parse.ts";
import type { ConfigInput } from "../src/config/schema.ts";
import { gatherPixels, imageAt, type NamedImages } from "../src/data/imageSet.ts";
import { uniform } from "../src/data/random.ts";
import { calibrate } from "../src/detection/calibrate.ts";
import { calibrationDifferences, storedCalibrationSchema } from "../src/detection/calibration.ts";
import { distanceWeights } from "../src/detection/distance.ts";
import { falseAlarmThreshold } from "../src/detection/falseAlarms.ts";
import type { Extractor } from "../src/detection/features.ts";
import { type Detector, inspect } from "../src/detection/inspect.ts";
import { loadDetector } from "../src/detection/modelDetector.ts";
import { GoodImages } from "../src/detection/nearest.ts";
import { searchFeatures, withSearchFeatures } from "../src/detection/searchFeatures.ts";
import {
  ChannelMoments,
  featureResiduals,
  whitenedDistance,
  whiteningWeights,
} from "../src/detection/whitening.ts";
import type { Denoiser } from "../src/diffusion/denoiser.ts";
import { createImage } from "../src/images/image.ts";
import { decodeModel, encodeModel } from "../src/model/modelFile.ts";
import { PatchCore } from "../src/patchcore/patchcore.ts";
import { smallConfig, smallImages } from "./small.ts";

const values = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, k) => uniform(seed, k) * 2 - 1);

describe("whitened residual", () => {
  it("takes statistics of channels as two passes over all values would", () => {
    const channels = 5;
    const parts = [values(7 * channels, 1), values(3 * channels, 2), values(11 * channels, 3)];
    const moments = new ChannelMoments(channels);
    for (const part of parts) moments.add(part);
    const all = parts.flatMap((part) => [...part]);
    const { mean, deviation } = moments.statistics();
    for (let c = 0; c < channels; c++) {
      const own = all.filter((_, k) => k % channels === c);
      const expected = own.reduce((sum, value) => sum + value, 0) / own.length;
      const variance = own.reduce((sum, value) => sum + (value - expected) ** 2, 0) / own.length;
      expect(mean[c]).to.be.closeTo(expected, 1e-14);
      expect(deviation[c]).to.be.closeTo(Math.sqrt(variance), 1e-14);
    }
  });

  it("takes an image out of the statistics as if it had never been in them", () => {
    const parts = [values(40, 1), values(12, 2), values(20, 3)];
    const [all, others] = [new ChannelMoments(4), new ChannelMoments(4)];
    for (const part of parts) all.add(part);
    others.add(parts[0]!);
    others.add(parts[2]!);
    const [found, expected] = [all.statisticsWithout(1), others.statistics()];
    for (let c = 0; c < 4; c++) {
      expect(found.mean[c]).to.be.closeTo(expected.mean[c]!, 1e-14);
      expect(found.deviation[c]).to.be.closeTo(expected.deviation[c]!, 1e-14);
    }
    const single = new ChannelMoments(4);
    single.add(parts[0]!);
    expect(single.statisticsWithout(0)).to.deep.equal(single.statistics());
  });

  it("keeps its digits where values are far from 0", () => {
    const moments = new ChannelMoments(1);
    const far = values(1000, 4).map((value) => 4096 + value);
    moments.add(far.subarray(0, 300));
    moments.add(far.subarray(300));
    const mean = far.reduce((sum, value) => sum + value, 0) / far.length;
    const variance = [...far].reduce((sum, value) => sum + (value - mean) ** 2, 0) / far.length;
    expect(moments.statistics().deviation[0]).to.be.closeTo(Math.sqrt(variance), 1e-9);
  });

  it("is ((mean of f(x) − mean of f(x̂) − μ) / (σ + 10⁻⁴))², averaged over channels and enlarged", async () => {
    const [size, channels] = [4, 3];
    const [a, b] = [values(size * size * channels, 5), values(size * size * channels, 6)];
    const network: Extractor = {
      features: (x, names) => Object.fromEntries(names.map((name) => [name, x.mul(2)])) as never,
    };
    // Undone by the normalisation for ImageNet, whose means and deviations these are.
    const deviations = [0.229, 0.224, 0.225];
    const shape = [1, size, size, channels];
    const [residual] = featureResiduals(network, tensor(a, shape), tensor(b, shape), {
      layers: ["layer1"],
      imageSize: 0,
    });
    const statistics = { mean: [0.1, -0.2, 0.3], deviation: [0.5, 0, 2] };
    const constants = { mean: tensor(statistics.mean), weight: tensor(whiteningWeights(statistics)) };
    const found = await whitenedDistance(residual!, size, constants).data();
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        let expected = 0;
        for (let c = 0; c < channels; c++) {
          let delta = 0;
          for (let dy = -1; dy <= 1; dy++) {
            for (let dx = -1; dx <= 1; dx++) {
              if (y + dy < 0 || y + dy >= size || x + dx < 0 || x + dx >= size) continue;
              const k = ((y + dy) * size + x + dx) * channels + c;
              delta += (2 * (a[k]! - b[k]!)) / 2 / deviations[c]! / 9;
            }
          }
          expected += ((delta - statistics.mean[c]!) / (statistics.deviation[c]! + 1e-4)) ** 2 / channels;
        }
        const scale = Math.max(1, expected);
        expect(found[y * size + x]! / scale).to.be.closeTo(expected / scale, 2e-5);
      }
    }
  });

  it("sees smaller images enlarged, and larger ones as they are", () => {
    const seen: number[] = [];
    const network: Extractor = {
      features: (x, names) => {
        seen.push(x.shape[1]!);
        return Object.fromEntries(names.map((name) => [name, x])) as never;
      },
    };
    for (const [size, imageSize] of [
      [8, 16],
      [8, 0],
      [8, 8],
      [16, 8],
    ] as const) {
      const image = tensor(values(size * size * 3, 7), [1, size, size, 3]);
      featureResiduals(network, image, image, { layers: ["layer2"], imageSize });
    }
    expect(seen).to.deep.equal([16, 16, 8, 8, 8, 8, 16, 16]);
  });

  it("adds up as many distances as there are layers, each by its own scale", () => {
    const config = smallConfig({
      features: { network: "resnet18" },
      detection: { pixelWeight: 3, layers: ["layer1", "layer3"] },
    });
    const weights = distanceWeights(config, { pixel: 2, layer1: 4, layer3: 5 });
    expect(weights).to.deep.equal({ pixel: 1.5, layer1: 0.25, layer3: 0.2 });
  });
});

const network = { block: "basic", layers: [1, 1, 1], baseChannels: 8, lastLayer: "layer3", seed: 5 } as const;
const denoiser: Denoiser = { forward: (x, t) => x.mul(0.1).add(t.mul(1e-3).reshape([-1, 1, 1, 1])) };

async function scoresOf(detector: Detector, images: NamedImages): Promise<Map<string, number>> {
  const scores = new Map<string, number>();
  for await (const { id, score } of inspect(detector, images)) scores.set(id, score);
  return scores;
}

/** Some images of a set, in this order. */
const chosen = ({ images, ids }: NamedImages, order: readonly number[]): NamedImages => ({
  images: {
    ...images,
    count: order.length,
    data: Uint8Array.from(order.flatMap((k) => [...imageAt(images, k).data])),
  },
  ids: order.map((k) => ids[k]!),
});

describe("detection by the nearest good image, and by several draws", () => {
  const good = smallImages(12, 30);
  const held = smallImages(6, 31);
  const fresh = smallImages(5, 32);
  let extractor: ResNet;
  before(async () => {
    extractor = new ResNet(network).eval();
    await evaluate(...extractor.namedState().values());
  });
  after(() => {
    extractor.dispose();
    extractor = undefined as unknown as ResNet;
  });

  it("finds the good image with the smallest squared difference", () => {
    const goodImages = new GoodImages(good.images);
    for (let index = 0; index < 5; index++) {
      const pixels = gatherPixels(fresh.images, [index]);
      const distances = Array.from({ length: 12 }, (_, k) =>
        gatherPixels(good.images, [k]).reduce((sum, value, i) => sum + (value - pixels[i]!) ** 2, 0),
      );
      expect(goodImages.nearestTo(imageAt(fresh.images, index))).to.equal(
        distances.indexOf(Math.min(...distances)),
      );
    }
    expect(goodImages.nearestTo(imageAt(good.images, 7))).to.equal(7);
    expect(() => goodImages.nearestTo(createImage(16, 16, 3))).to.throw(
      RangeError,
      /an image of 16 × 16 pixels was given, but the good images have 8 × 8/,
    );
    expect(() => new GoodImages({ ...good.images, count: 0 })).to.throw(
      RangeError,
      /at least one good image/,
    );
  });

  it("finds the good image with the nearest features", async () => {
    const goodImages = await withSearchFeatures(new GoodImages(good.images), extractor);
    for (let index = 0; index < 3; index++) {
      const features = await searchFeatures(extractor, gatherPixels(fresh.images, [index]));
      expect(features).to.have.length(4 * 4 * 32);
      const distances: number[] = [];
      for (let k = 0; k < 12; k++) {
        const others = await searchFeatures(extractor, gatherPixels(good.images, [k]));
        distances.push(others.reduce((sum, value, i) => sum + (value - features[i]!) ** 2, 0));
      }
      expect(goodImages.nearestByFeatures(features)).to.equal(distances.indexOf(Math.min(...distances)));
    }
    const own = await searchFeatures(extractor, gatherPixels(good.images, [7]));
    expect(goodImages.nearestByFeatures(own)).to.equal(7);
    expect(() => new GoodImages(good.images).nearestByFeatures(own)).to.throw(
      RangeError,
      /512 features were given, but each of these images has 0; make them by withSearchFeatures/,
    );
    expect(() => new GoodImages(good.images, new Float32Array(13))).to.throw(RangeError, /cannot be divided/);
    const settings = { data: { root: "x" }, nearest: { by: "features" as const } };
    expect(() => resolveConfig(settings)).to.throw(/nearest\.by features needs a network/);
  });

  const cases: readonly [string, Partial<Omit<ConfigInput, "data" | "model">>][] = [
    ["the mean of 3 draws", { sampling: { draws: 3 } }],
    ["the nearest image noised", { sampling: { from: "nearest", guidance: 1 } }],
    ["the nearest image itself", { method: "nearest" }],
    ["the nearest image by pixels", { method: "nearest", nearest: { by: "pixels" } }],
  ];
  for (const [name, settings] of cases) {
    it(`says the same of an image in any company, under any name: ${name}`, async () => {
      const config = smallConfig({ features: { network: "resnet18", imageSize: 16 }, ...settings });
      const goodImages = await withSearchFeatures(new GoodImages(good.images), extractor);
      const detector = { config, denoiser, extractor, goodImages };
      const calibration = await calibrate(detector, held);
      expect(Object.keys(calibration.whitening!)).to.deep.equal(["layer1", "layer2", "layer3"]);
      expect(storedCalibrationSchema.parse(JSON.parse(JSON.stringify(calibration)))).to.deep.equal(
        calibration,
      );
      const all = await scoresOf({ ...detector, calibration }, fresh);
      expect(new Set(all.values()).size).to.equal(5);
      for (const order of [[3], [4, 0], [2, 1, 0]]) {
        const some = await scoresOf({ ...detector, calibration }, chosen(fresh, order));
        for (const [id, score] of some) expect(score, id).to.equal(all.get(id));
      }
      const renamed = { ...fresh, ids: fresh.ids.map((id) => `other/${id}`) };
      const others = await scoresOf({ ...detector, calibration }, renamed);
      expect([...others.values()]).to.deep.equal([...all.values()]);
      const fewer = await calibrate(detector, held, { cacheBytes: 0 });
      expect(fewer).to.deep.equal(calibration);
    });
  }

  for (const method of ["ddad", "nearest"] as const) {
    it(`calls about the share of fresh good images defective that was asked for: ${method}, whitened`, async () => {
      const config = smallConfig({
        method,
        sampling: { draws: 1 },
        features: { network: "resnet18", imageSize: 0 },
        nearest: { by: "pixels" },
      });
      const detector = { config, denoiser, extractor, goodImages: new GoodImages(good.images) };
      let alarms = 0;
      for (const seed of [40, 42, 44, 46]) {
        const calibration = await calibrate(detector, smallImages(49, seed));
        const threshold = falseAlarmThreshold(calibration.scores, 0.1);
        const scores = await scoresOf({ ...detector, calibration }, smallImages(50, seed + 1));
        alarms += [...scores.values()].filter((score) => score >= threshold).length;
      }
      console.log(`    ${alarms} of 200 fresh good images called defective, 20 expected`);
      // Four beta-binomials of 50, whose threshold is the fifth highest of 49 scores: 20 expected, a standard deviation of 6.
      expect(alarms).to.be.within(5, 38);
    });
  }

  it("takes the mean of the reconstructions of all draws, whose noise differs", async () => {
    const config = (draws: number) => smallConfig({ sampling: { draws } });
    const of = async (draws: number): Promise<Float32Array> => {
      const found = await inspect({ config: config(draws), denoiser }, fresh).next();
      return found.value!.reconstruction;
    };
    const [one, four] = [await of(1), await of(4)];
    const distance = (a: Float32Array, b: Float32Array): number =>
      Math.sqrt(a.reduce((sum, value, k) => sum + (value - b[k]!) ** 2, 0));
    const image = gatherPixels(fresh.images, [0]);
    // This denoiser takes a tenth of the noise away: of the rest the mean of four draws has half.
    expect(distance(four, image)).to.be.below(0.8 * distance(one, image));
    const refused = await inspect({ config: { ...config(1), method: "nearest" }, denoiser }, fresh)
      .next()
      .catch((error: unknown) => error);
    expect(String(refused)).to.match(/method is nearest, but no good images were given/);
    const settings = { data: { root: "x" }, sampling: { draws: 2, startNoise: false } };
    expect(() => resolveConfig(settings)).to.throw(/without noise all reconstructions are the same/);
  });

  it("needs no denoiser where none is trained, and a calibration for what is whitened", () => {
    expect(() => resolveConfig({ data: { root: "x" }, protocol: "paper", method: "nearest" })).to.throw(
      /method nearest has no paper protocol/,
    );
    expect(() =>
      resolveConfig({ data: { root: "x" }, protocol: "paper", detection: { distance: "whitened" } }),
    ).to.throw(/detection\.distance whitened needs a calibration/);
    const layers = ["layer2", "layer2"] as const;
    expect(() => resolveConfig({ data: { root: "x" }, detection: { layers: [...layers] } })).to.throw(
      /detection\.layers names a layer twice: layer2, layer2; name each once/,
    );
  });

  it("keeps good images, statistics and scales in the file of a model, by each method", async () => {
    using bank = await PatchCore.fit(extractor, good.images, { fraction: 0.5 });
    for (const method of ["nearest", "patchcore+nearest"] as const) {
      const config = smallConfig({ method, features: { network: "resnet18" } });
      const weights = method === "nearest" ? new Map() : bank.stateDict();
      const model = { config, step: 0, weights, goodImages: new GoodImages(good.images) };
      using detector = await loadDetector(model, { extractor });
      const calibration = await detector.calibrate(held);
      expect(calibrationDifferences(calibration, config)).to.deep.equal([]);
      const scores: number[] = [];
      for await (const { score, map } of detector.inspect(fresh, calibration)) {
        scores.push(score);
        expect(map).to.have.length(64);
      }
      // Good images are like the held-out ones.
      const usual = calibration.scores.reduce((sum, score) => sum + score, 0) / calibration.scores.length;
      for (const score of scores) expect(score / usual).to.be.within(0.3, 3);
      const stored = decodeModel(readSafetensors(encodeModel({ ...model, calibration })));
      expect(stored.calibration).to.deep.equal(calibration);
      expect(stored.goodImages!.images).to.deep.equal(good.images);
      expect([...stored.weights.keys()]).to.deep.equal([...weights.keys()]);
      using again = await loadDetector(stored, { extractor });
      const same: number[] = [];
      for await (const { score } of again.inspect(fresh, stored.calibration)) same.push(score);
      expect(same).to.deep.equal(scores);
    }
  });
});
