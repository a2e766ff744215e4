/** Distances, maps, scores, calibration and evaluation. */
import { evaluate, ResNet, tensor, type UNet } from "@ddad/nn";
import { expect } from "chai";
import { formulaWeights, largestDifference } from "../../nn/test/golden.ts";
import { entry, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { gatherPixels, imageAt, type NamedPixels } from "../src/data/imageSet.ts";
import { calibrate } from "../src/detection/calibrate.ts";
import { calibrationDifferences, storedCalibrationSchema } from "../src/detection/calibration.ts";
import { anomalyMap, centerCrop, cropRange, pixelDistance } from "../src/detection/distance.ts";
import { falseAlarmThreshold } from "../src/detection/falseAlarms.ts";
import { type Extractor, featureDistance } from "../src/detection/features.ts";
import { describeImage } from "../src/detection/imageDescription.ts";
import { type Detector, inspect } from "../src/detection/inspect.ts";
import { describeUnlikeness } from "../src/detection/likeness.ts";
import { createDenoiser } from "../src/diffusion/denoiser.ts";
import { evaluateDetection, type LabelledImage } from "../src/evaluation/evaluation.ts";
import { smallConfig, smallImages } from "./small.ts";

describe("distance", () => {
  it("is the published mean over channels of the absolute difference", async function () {
    const arrays = readNpz(sharedOrSkip(this, "golden", "heatmap.npz"));
    const images = (key: string) => {
      const { data, shape } = entry(arrays, key, Float32Array);
      return tensor(data, shape).permute([0, 2, 3, 1]);
    };
    const distance = await pixelDistance(images("output"), images("target")).data();
    expect(largestDifference(distance, entry(arrays, "i_d", Float32Array).data)).to.be.below(1e-6);
  });

  it("blurs as published: 33 taps at sigma 4, the border reflected", async function () {
    const arrays = readNpz(sharedOrSkip(this, "golden", "heatmap.npz"));
    const { data, shape } = entry(arrays, "blur_in", Float32Array);
    const distance = tensor(data, [shape[0]!, ...shape.slice(2), 1]);
    const map = await anomalyMap([{ distance }], { blurSigma: 4 }).data();
    expect(largestDifference(map, entry(arrays, "blur_out", Float32Array).data)).to.be.below(1e-5);
  });

  it("adds weighted distances and crops the middle", async () => {
    const a = tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16], [1, 4, 4, 1]);
    const distances = [{ distance: a, weight: 2 }, { distance: a, weight: tensor([0.5]) }, { distance: a }];
    const map = anomalyMap(distances, { blurSigma: 0, crop: 2 });
    expect([...(await map.data())]).to.deep.equal([6, 7, 10, 11].map((value) => 3.5 * value));
    expect(() => anomalyMap([], { blurSigma: 0 })).to.throw(/there is no distance to make a map of/);
  });

  it("crops as torchvision does, zeros around what is too small", async () => {
    expect(cropRange(256, 224)).to.deep.equal({ start: 16, padding: 0, before: 0 });
    expect(cropRange(257, 224).start).to.equal(16); // 16.5 to even
    expect(cropRange(259, 224).start).to.equal(18); // 17.5 to even
    expect(cropRange(3, 6)).to.deep.equal({ start: 0, padding: 3, before: 1 });
    const cropped = centerCrop(tensor([1, 2, 3, 4], [1, 2, 2, 1]), 4);
    expect([...(await cropped.data())]).to.deep.equal([0, 0, 0, 0, 0, 1, 2, 0, 0, 3, 4, 0, 0, 0, 0, 0]);
  });
});

/** Features that are the normalised image itself, so that both distances are known. */
const identity = (): Extractor => ({
  features: (x, names) => Object.fromEntries(names.map((n) => [n, x])) as never,
});

describe("detection", () => {
  const { images, ids } = smallImages(5, 3);
  let net: UNet;
  beforeEach(async () => {
    net = createDenoiser(smallConfig()).eval();
    net.loadStateDict(formulaWeights(net, 7));
    await evaluate(...net.namedState().values());
  });
  afterEach(() => {
    net.dispose();
    net = undefined as unknown as UNet;
  });

  const scoresOf = async (
    config: ReturnType<typeof smallConfig>,
    batchSize: number,
    order = [0, 1, 2, 3, 4],
  ) => {
    const calibration = await calibrate({ denoiser: net, config }, { images, ids });
    const found = new Map<string, unknown>();
    for (let from = 0; from < order.length; from += batchSize) {
      const part = order.slice(from, from + batchSize);
      const data = Uint8Array.from(part.flatMap((index) => [...imageAt(images, index).data]));
      const batch = { images: { ...images, count: part.length, data }, ids: part.map((k) => ids[k]!) };
      for await (const { id, score, map } of inspect({ denoiser: net, config, calibration }, batch)) {
        found.set(id, { score, map });
      }
    }
    return found;
  };

  for (const [name, sampling] of [
    ["without noise", {}],
    ["with noise", { eta: 1, startNoise: true }],
  ] as const) {
    it(`says the same of an image whether 1, 3 or 5 come together, in any order, ${name}`, async () => {
      const config = smallConfig({ sampling });
      const alone = await scoresOf(config, 1);
      for (const [batchSize, order] of [
        [3, undefined],
        [5, undefined],
        [2, [4, 2, 0, 3, 1]],
      ] as const) {
        const found = await scoresOf(config, batchSize, order && [...order]);
        for (const id of ids) expect(found.get(id), id).to.deep.equal(alone.get(id));
      }
    });
  }

  it("says the same of images that come one after the other, and takes no more than the next", async () => {
    const config = smallConfig();
    let taken = 0;
    async function* source(): AsyncGenerator<NamedPixels> {
      for (const [index, id] of ids.entries()) {
        taken++;
        yield { id, pixels: gatherPixels(images, [index]) };
      }
    }
    const whole = [];
    for await (const found of inspect({ denoiser: net, config }, { images, ids })) whole.push(found);
    let index = 0;
    for await (const { id, score, map } of inspect({ denoiser: net, config }, source())) {
      expect(taken).to.equal(index + 1);
      expect({ id, score, map }).to.deep.equal({
        id: ids[index],
        score: whole[index]!.score,
        map: whole[index++]!.map,
      });
    }
    expect(index).to.equal(ids.length);
  });

  it("keeps what good images look like as a whole with the calibration, where there are four", async () => {
    const detector = { denoiser: net, config: smallConfig() };
    const { likeness, ...older } = await calibrate(detector, { images, ids });
    expect(likeness!.count).to.equal(5);
    const usual = describeImage(imageAt(images, 0));
    expect(describeUnlikeness(likeness!, usual)).to.equal(undefined);
    expect(storedCalibrationSchema.parse(JSON.parse(JSON.stringify(older)))).to.deep.equal(older);
    const three = { images: { ...images, count: 3 }, ids: ids.slice(0, 3) };
    expect(await calibrate(detector, three)).to.not.have.property("likeness");
  });

  it("refuses images that are not square", async () => {
    const wrong = [{ id: "flat.png", pixels: new Float32Array(8 * 7 * 3) }];
    const found = inspect({ denoiser: net, config: smallConfig() }, wrong);
    const error = await found.next().catch((caught: Error) => caught);
    expect(error).to.be.instanceOf(RangeError);
    expect((error as Error).message).to.match(/flat\.png has 168 values, but a square RGB image/);
  });

  it("says the same, bit for bit, of 16 images in any company when features are compared as well, either way", async () => {
    for (const distance of ["whitened", "cosine"] as const) {
      const config = smallConfig({
        features: { network: "resnet18", imageSize: 16 },
        detection: { distance },
      });
      using extractor = new ResNet({
        block: "basic",
        layers: [1, 1, 1],
        baseChannels: 8,
        lastLayer: "layer3",
        seed: 5,
      });
      await evaluate(...extractor.namedState().values());
      const detector = { config, denoiser: net, extractor: extractor.eval() };
      const held = smallImages(4, 8);
      const calibration = await calibrate(detector, held);
      expect(calibration.scales![distance === "cosine" ? "feature" : "layer3"]).to.be.greaterThan(0);
      const set = smallImages(16, 9);
      const scoresIn = async (order: readonly number[], together: number): Promise<number[]> => {
        const scores: number[] = [];
        for (let from = 0; from < order.length; from += together) {
          const part = order.slice(from, from + together);
          const data = Uint8Array.from(part.flatMap((index) => [...imageAt(set.images, index).data]));
          const batch = {
            images: { ...set.images, count: part.length, data },
            ids: part.map((k) => set.ids[k]!),
          };
          const found = inspect({ ...detector, calibration }, batch);
          for (let k = 0; k < part.length; k++) scores[part[k]!] = (await found.next()).value!.score;
        }
        return scores;
      };
      const inOrder = Array.from({ length: 16 }, (_, index) => index);
      const alone = await scoresIn(inOrder, 1);
      expect(new Set(alone).size).to.equal(16);
      for (const together of [4, 16]) expect(await scoresIn(inOrder, together)).to.deep.equal(alone);
      const mixed = inOrder.map((index) => (index * 7) % 16);
      for (const together of [4, 16]) expect(await scoresIn(mixed, together)).to.deep.equal(alone);
    }
  });

  it("compares by the weights of the extractor that are loaded at the time", async () => {
    const config = smallConfig({ features: { network: "resnet18" } });
    const make = (seed: number): ResNet =>
      new ResNet({ block: "basic", layers: [1, 1, 1], baseChannels: 8, lastLayer: "layer3", seed }).eval();
    const scoreBy = async (extractor: ResNet): Promise<number> => {
      const found = inspect({ config, denoiser: net, extractor }, { images, ids });
      return (await found.next()).value!.score;
    };
    using changing = make(5);
    using other = make(6);
    const otherScore = await scoreBy(other);
    changing.loadStateDict(await make(7).stateDict());
    expect(await scoreBy(changing)).to.not.equal(otherScore);
    changing.loadStateDict(await other.stateDict());
    expect(await scoreBy(changing)).to.equal(otherScore);
  });

  it("refuses a calibration that was made with other settings", async () => {
    const config = smallConfig();
    const calibration = await calibrate({ denoiser: net, config }, { images, ids });
    const changed = smallConfig({ sampling: { guidance: 3 } });
    const found = inspect({ denoiser: net, config: changed, calibration }, { images, ids });
    const refused = await found.next().catch((error: unknown) => error);
    expect(String(refused)).to.match(/made with other settings \(sampling\.guidance 3 \(calibrated: 0\)\)/);
  });

  it("refuses to compare features without a network, and a network that no setting names", async () => {
    const first = async (detector: Detector): Promise<string> => {
      try {
        await inspect(detector, { images, ids }).next();
      } catch (error) {
        return (error as Error).message;
      }
      return "nothing was thrown";
    };
    const config = smallConfig({ features: { network: "resnet18" } });
    expect(await first({ config, denoiser: net })).to.match(
      /features\.network is resnet18, but no extractor was given/,
    );
    const extractor = { features: () => ({}) as never };
    expect(await first({ config: smallConfig(), denoiser: net, extractor })).to.match(
      /an extractor was given, but features\.network is none/,
    );
  });

  it("weighs by the batch's maxima under the paper's protocol, as published", async () => {
    const config = smallConfig({
      protocol: "paper",
      features: { network: "resnet18" },
      detection: { blurSigma: 0, crop: 0, batchSize: 2, pixelWeight: 7 },
    });
    const extractor = identity();
    const maps: Float32Array[] = [];
    for await (const { map } of inspect({ config, denoiser: net, extractor }, { images, ids }))
      maps.push(map);
    const maxima: { pixel: number; feature: number }[] = [];
    const distances: { pixel: Float32Array; feature: Float32Array }[] = [];
    for await (const { reconstruction, id } of inspect(
      { config, denoiser: net, extractor },
      { images, ids },
    )) {
      const input = tensor(gatherPixels(images, [ids.indexOf(id)]), [1, 8, 8, 3]);
      const output = tensor(reconstruction, [1, 8, 8, 3]);
      const pixel = (await pixelDistance(output, input).data()) as Float32Array;
      const feature = (await featureDistance(extractor, output, input).data()) as Float32Array;
      distances.push({ pixel, feature });
      maxima.push({ pixel: Math.max(...pixel), feature: Math.max(...feature) });
    }
    for (const [k, map] of maps.entries()) {
      const batch = maxima.slice(k - (k % 2), k - (k % 2) + 2);
      const [f, p] = [Math.max(...batch.map((m) => m.feature)), Math.max(...batch.map((m) => m.pixel))];
      const { pixel, feature } = distances[k]!;
      for (const [i, value] of map.entries())
        expect(value).to.be.closeTo(feature[i]! + ((7 * f) / p) * pixel[i]!, 1e-5 * f);
    }
  });

  it("says what each image of a batch took, not how fast the finished ones are handed over", async () => {
    const config = smallConfig({
      protocol: "paper",
      features: { network: "resnet18" },
      detection: { crop: 0, batchSize: 5 },
    });
    const found = inspect({ config, denoiser: net, extractor: identity() }, { images, ids });
    await found.next();
    const started = performance.now();
    const second = (await found.next()).value!;
    const handedOver = performance.now() - started;
    expect(second.milliseconds).to.be.above(handedOver);
    await found.return(undefined);
  });

  it("calls about the share of fresh good images defective that was asked for", async () => {
    const config = smallConfig({ detection: { blurSigma: 0.5, falseAlarmRate: 0.1 } });
    const [held, fresh] = [smallImages(49, 20), smallImages(100, 21)];
    const calibration = await calibrate({ denoiser: net, config }, held);
    const threshold = falseAlarmThreshold(calibration.scores, 0.1);
    let alarms = 0;
    for await (const { score } of inspect({ denoiser: net, config, calibration }, fresh))
      if (score >= threshold) alarms++;
    // The central 99 % of a binomial of 100, at a rate that the 49 images leave between 0.03 and 0.24.
    console.log(`    ${alarms} of 100 fresh good images called defective, 10 expected`);
    expect(alarms).to.be.within(1, 33);
  });

  it("calibrates so that good images reach 1 in the mean before the blur", async () => {
    const config = smallConfig({ detection: { blurSigma: 0 } });
    const calibration = await calibrate({ denoiser: net, config }, { images, ids });
    expect(calibration.scores).to.have.length(5);
    expect(calibration.scores.reduce((a, b) => a + b) / 5).to.be.closeTo(1, 1e-6);
    expect(calibrationDifferences(calibration, config)).to.deep.equal([]);
    const other = smallConfig({
      sampling: { guidance: 3 },
      detection: { blurSigma: 0, falseAlarmRate: 0.2 },
    });
    expect(calibrationDifferences(calibration, other)).to.deep.equal(["sampling.guidance 3 (calibrated: 0)"]);
    const fewer = smallConfig({ sampling: { steps: 2 }, detection: { blurSigma: 0 } });
    expect(calibrationDifferences(calibration, fewer)).to.deep.equal([
      "sampling.steps 2 (calibrated: not set)",
    ]);
  });

  it("evaluates against labels and masks", async () => {
    const config = smallConfig();
    const calibration = await calibrate({ denoiser: net, config }, { images, ids });
    const samples = ids.map(
      (id, i): LabelledImage => ({ id, label: i < 2 ? 0 : 1, kind: i < 2 ? "good" : "spot" }),
    );
    const masks = samples.map(({ label }) => new Uint8Array(64).fill(label, 8, 12));
    const seen: string[] = [];
    const options = { observe: ({ id }: { id: string }) => void seen.push(id) };
    const set = { dataset: "parts", category: "", samples, images };
    const { result, kinds, scores, falseAlarms } = await evaluateDetection(
      { denoiser: net, config, calibration },
      { ...set, masks },
      options,
    );
    expect(seen).to.deep.equal(ids);
    expect(result).to.include({ protocol: "strict", images: 5 });
    for (const metric of [...Object.values(result.image), ...Object.values(result.pixel!)]) {
      expect(metric).to.be.within(0, 1);
    }
    expect(result.threshold).to.equal(falseAlarmThreshold(calibration.scores));
    expect(result.msPerImage.p95).to.be.at.least(result.msPerImage.p50);
    expect(kinds).to.have.length(1);
    expect(kinds[0]).to.include({ kind: "spot", images: 3, auroc: result.image.auroc });
    expect(scores.map(({ id }) => id)).to.deep.equal(ids);
    expect(falseAlarms).to.be.within(0, 1);
    const without = await evaluateDetection({ denoiser: net, config, calibration }, set, {
      ...options,
      observe: () => undefined,
    });
    expect(without.result).to.not.have.property("pixel");
    expect(without.result.image).to.deep.equal(result.image);
  });
});
