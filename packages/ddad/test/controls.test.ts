/** Controls without a network: their scores against plain loops, and what they say of a model. */
import { tensor } from "@ddad/nn";
import { expect } from "chai";
import type { Config } from "../src/config/schema.ts";
import { type ImageSet, imageAt, stackImages } from "../src/data/imageSet.ts";
import { generateProcedural } from "../src/data/procedural/generate.ts";
import { cropRange } from "../src/detection/distance.ts";
import { GoodImages } from "../src/detection/nearest.ts";
import { blurResidual, residualSigma } from "../src/evaluation/controls/blurResidual.ts";
import { brightnessScores, meanBrightness } from "../src/evaluation/controls/brightness.ts";
import { evaluateControls } from "../src/evaluation/controls/controls.ts";
import { meanImageDistance, meanOfImages, stdFloor } from "../src/evaluation/controls/meanImage.ts";
import { imageDifference } from "../src/evaluation/controls/nearestGoodImage.ts";
import { cropMask, type LabelledImage, type TestSet } from "../src/evaluation/evaluation.ts";
import { createImage, toPixels } from "../src/images/image.ts";
import { resizeBilinear } from "../src/images/resize.ts";
import { aupro } from "../src/metrics/aupro.ts";
import { auroc, averagePrecision } from "../src/metrics/curves.ts";
import { smallConfig } from "./small.ts";

const size = 32;
const drawn = [
  ...generateProcedural({ category: "tile", size, train: 6, testGood: 3, testPerDefect: 1, seed: 4 }),
];
const trained = drawn.filter(({ split }) => split === "train").map(({ image }) => image);
const good = stackImages(trained, trained.length, size);
const tested = drawn.filter(({ split }) => split === "test");
const samples = tested.map(
  ({ kind, index }): LabelledImage => ({
    id: `test/${kind}/${index}.png`,
    label: kind === "good" ? 0 : 1,
    kind,
  }),
);
const test: TestSet = {
  ...{ dataset: "parts", category: "tile", samples },
  images: stackImages(
    tested.map(({ image }) => image),
    tested.length,
    size,
  ),
  masks: tested.map(({ mask }) => mask?.data ?? new Uint8Array(size * size)),
};
const labels = samples.map(({ label }) => label);

/** A position beyond the border, mirrored at the outermost pixel. */
const reflect = (at: number, side: number): number => (at < 0 ? -at : at >= side ? 2 * (side - 1) - at : at);

/** A small configuration for images of this test's size. */
const configOf = (
  detection: Partial<Config["detection"]> = {},
  protocol: Config["protocol"] = "strict",
): Config => {
  const config = smallConfig({ protocol, detection: { crop: 0 } });
  return { ...config, detection: { ...config.detection, blurSigma: 0.5, ...detection } };
};

/** The blur by its definition, in f64: both passes in one, the border reflected without its edge. `[size · size]` */
function blurred(values: ArrayLike<number>, side: number, sigma: number): Float64Array {
  const radius = Math.ceil(4 * sigma);
  const offsets = Array.from({ length: 2 * radius + 1 }, (_, i) => i - radius);
  const weights = offsets.map((offset) => Math.exp(-(offset ** 2) / (2 * sigma ** 2)));
  const total = weights.reduce((a, b) => a + b);
  return Float64Array.from({ length: side * side }, (_, pixel) => {
    let sum = 0;
    offsets.forEach((dy, i) => {
      offsets.forEach((dx, j) => {
        const y = reflect(Math.floor(pixel / side) + dy, side);
        const x = reflect((pixel % side) + dx, side);
        sum += (weights[i]! * weights[j]! * values[y * side + x]!) / total ** 2;
      });
    });
    return sum;
  });
}

const channelsOf = (pixels: ArrayLike<number>): Float64Array[] =>
  [0, 1, 2].map((c) => Float64Array.from({ length: pixels.length / 3 }, (_, i) => pixels[3 * i + c]!));

/** Distances of a test image by loops in f64, by control. */
function distances(index: number): Record<string, Float64Array> {
  const pixels = channelsOf(toPixels(imageAt(test.images, index)));
  const bank = trained.map((image) => channelsOf(toPixels(image)));
  const perPixel = (value: (channel: number, pixel: number) => number) =>
    Float64Array.from({ length: size * size }, (_, i) => (value(0, i) + value(1, i) + value(2, i)) / 3);
  const smooth = pixels.map((channel) => blurred(channel, size, size / 64));
  const squared = bank.map((other) =>
    other.reduce((sum, channel, c) => sum + channel.reduce((s, v, i) => s + (v - pixels[c]![i]!) ** 2, 0), 0),
  );
  const nearest = bank[squared.indexOf(Math.min(...squared))]!;
  return {
    "blur residual": perPixel((c, i) => Math.abs(pixels[c]![i]! - smooth[c]![i]!)),
    "mean image": perPixel((c, i) => {
      const values = bank.map((other) => other[c]![i]!);
      const mean = values.reduce((a, b) => a + b) / values.length;
      const std = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
      return Math.abs(pixels[c]![i]! - mean) / (std + 0.1);
    }),
    "nearest good image": perPixel((c, i) => Math.abs(pixels[c]![i]! - nearest[c]![i]!)),
  };
}

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));

describe("controls: distances", () => {
  it("brightness is the mean of all bytes, in the direction that separates better", () => {
    expect(meanBrightness({ data: Uint8Array.of(0, 255, 3) })).to.equal(86);
    const brighter = brightnessScores([0, 0, 1, 1], [10, 30, 20, 40]);
    expect(brighter).to.deep.equal({
      ...{ direction: "brighter", scores: [10, 30, 20, 40] },
      image: { auroc: 0.75, ap: averagePrecision([0, 0, 1, 1], [10, 30, 20, 40]) },
    });
    const darker = brightnessScores([1, 1, 0, 0], [10, 30, 20, 40]);
    expect(darker).to.deep.include({ direction: "darker", scores: [-10, -30, -20, -40] });
    expect(darker.image).to.deep.equal(brighter.image);
    expect(brightnessScores([0, 1], [7, 7])).to.deep.include({ direction: "brighter" });
  });

  it("blur residual is what a blur of 1 pixel at 64 removes, the border reflected", async () => {
    expect([64, 256, 32].map(residualSigma)).to.deep.equal([1, 4, 0.5]);
    for (const index of [0, 4]) {
      const x = tensor(toPixels(imageAt(test.images, index)), [1, size, size, 3]);
      const found = await blurResidual(x).data();
      expect(largestDifference(found, distances(index)["blur residual"]!)).to.be.below(2e-6);
    }
    const large = createImage(64, 64, 3);
    large.data.forEach((_, i) => {
      large.data[i] = (i * 7919) % 256;
    });
    const pixels = toPixels(large);
    const smooth = channelsOf(pixels).map((channel) => blurred(channel, 64, 1));
    const expected = Float64Array.from({ length: 64 * 64 }, (_, i) =>
      [0, 1, 2].reduce((sum, c) => sum + Math.abs(pixels[3 * i + c]! - smooth[c]![i]!) / 3, 0),
    );
    const found = await blurResidual(tensor(pixels, [1, 64, 64, 3])).data();
    expect(largestDifference(found, expected)).to.be.below(2e-6);
  });

  it("mean image divides by the standard deviation of the good images at the position", () => {
    const mean = meanOfImages(good);
    for (const index of samples.keys()) {
      const found = meanImageDistance(mean, imageAt(test.images, index));
      expect(largestDifference(found, distances(index)["mean image"]!)).to.be.below(1e-5);
    }
    const one = meanOfImages({ count: 1, size: 1, data: Uint8Array.of(10, 20, 30) });
    expect([...one.std]).to.deep.equal([0, 0, 0]);
    const [value] = meanImageDistance(one, { data: Uint8Array.of(10, 20, 60) });
    expect(value).to.be.closeTo(10 / stdFloor, 1e-6);
    expect(() => meanOfImages({ count: 0, size: 1, data: new Uint8Array(0) })).to.throw(
      RangeError,
      "no image",
    );
  });

  it("nearest good image is the one with the smallest squared difference, the first of equals", () => {
    const goodImages = new GoodImages(good);
    for (const place of samples.keys()) {
      const image = imageAt(test.images, place);
      const nearest = imageAt(good, goodImages.nearestTo(image));
      expect(
        largestDifference(imageDifference(image, nearest), distances(place)["nearest good image"]!),
      ).to.be.below(1e-6);
    }
    for (const i of trained.keys()) expect(goodImages.nearestTo(trained[i]!)).to.equal(i);
    const twice = stackImages([trained[1]!, trained[0]!, trained[0]!], 3, size);
    expect(new GoodImages(twice).nearestTo(trained[0]!)).to.equal(1);
  });

  it("nearest good image is searched at 64 pixels a side where images are larger", () => {
    const large = [
      ...generateProcedural({ category: "gear", size: 96, train: 9, testGood: 3, testPerDefect: 0 }),
    ];
    const images = large.map(({ image }) => image);
    const bank = stackImages(images.slice(0, 9), 9, 96);
    const goodImages = new GoodImages(bank);
    const small = images.map((image) => resizeBilinear(image, 64, 64).data);
    for (const wanted of [9, 10, 11]) {
      const sums = small
        .slice(0, 9)
        .map((data) => data.reduce((sum, v, i) => sum + (v - small[wanted]![i]!) ** 2, 0));
      expect(goodImages.nearestTo(images[wanted]!)).to.equal(sums.indexOf(Math.min(...sums)));
    }
  });
});

describe("controls: evaluation", () => {
  /** Maps by loops in f64, rounded as maps are. */
  const mapsOf = (name: string, sigma: number, crop = 0): Float32Array[] =>
    [...samples.keys()].map((index) => {
      const whole = Float32Array.from(blurred(distances(index)[name]!, size, sigma));
      if (crop === 0) return whole;
      const { start } = cropRange(size, crop);
      return whole.filter((_, i) => {
        const [x, y] = [(i % size) - start, Math.floor(i / size) - start];
        return x >= 0 && x < crop && y >= 0 && y < crop;
      });
    });

  it("gives each the maps' blur and crop, the largest value as the score, and the metrics of models", async () => {
    for (const [sigma, crop] of [
      [0.75, 0],
      [1, 24],
    ] as const) {
      const config = configOf({ blurSigma: sigma, crop });
      const told: string[] = [];
      const found = await evaluateControls(config, test, {
        good,
        bootstrap: { resamples: 50 },
        progress: (done, count) => told.push(`${done} of ${count}`),
      });
      expect(found.map(({ name }) => name)).to.deep.equal([
        ...["brightness", "blur residual", "mean image", "nearest good image"],
      ]);
      expect(told[0]).to.equal("0 of 21");
      expect(told.at(-1)).to.equal("21 of 21");
      const [brightness, ...others] = found;
      const means = tested.map(({ image: { data } }) => data.reduce((a, b) => a + b, 0) / data.length);
      const area = auroc(labels, means);
      expect(brightness!.image.auroc).to.be.closeTo(Math.max(area, 1 - area), 1e-12);
      expect(brightness).to.not.have.property("pixel");
      expect(brightness!.direction).to.equal(area >= 0.5 ? "brighter" : "darker");
      const masks = test.masks!.map((mask) => cropMask(mask, size, crop).map((value) => (value ? 1 : 0)));
      const all = (arrays: readonly ArrayLike<number>[]) => arrays.flatMap((values) => Array.from(values));
      for (const { name, image, pixel, intervals, direction } of others) {
        const maps = mapsOf(name, sigma, crop);
        const scores = maps.map((map) => Math.max(...map));
        expect(image, name).to.deep.equal({
          auroc: auroc(labels, scores),
          ap: averagePrecision(labels, scores),
        });
        // Pixels that are equal in f64 may differ in f32, or the other way round: not to the last digit.
        expect(pixel!.auroc, name).to.be.closeTo(auroc(all(masks), all(maps)), 1e-4);
        expect(pixel!.ap, name).to.be.closeTo(averagePrecision(all(masks), all(maps)), 1e-3);
        expect(pixel!.aupro30, name).to.be.closeTo(aupro(maps, masks, { limit: 0.3 }), 1e-3);
        expect(pixel!.aupro05, name).to.be.closeTo(aupro(maps, masks, { limit: 0.05 }), 2e-3);
        expect(image.auroc).to.be.within(...intervals!.image.auroc);
        expect(direction).to.equal(undefined);
      }
    }
  });

  it("leaves out what needs good images, and pixels without masks", async () => {
    const { masks: _, ...unmasked } = test;
    const none: ImageSet = { count: 0, size, data: new Uint8Array(0) };
    for (const options of [{}, { good: none }]) {
      const found = await evaluateControls(configOf(), unmasked, options);
      expect(found.map(({ name, pixel }) => [name, pixel])).to.deep.equal([
        ["brightness", undefined],
        ["blur residual", undefined],
      ]);
    }
  });

  it("measures by the paper's protocol as it is published, with the exact value beside it", async () => {
    const coverage = test.masks!.map((mask) => mask.map((value) => (value ? 255 : 0)));
    const config = configOf({ crop: 24 }, "paper");
    const [, residual] = await evaluateControls(config, { ...test, coverage });
    const strict = configOf({ crop: 24 });
    const [, exact] = await evaluateControls(strict, test);
    expect(residual!.exact!.aupro30).to.be.closeTo(exact!.pixel!.aupro30, 1e-12);
    expect(residual!.pixel!.aupro30).to.not.equal(exact!.pixel!.aupro30);
    const flat = { ...test.images, data: new Uint8Array(test.images.data.length) };
    const [, constant] = await evaluateControls(config, { ...test, images: flat, coverage });
    expect(constant, "undefined where all scores are the same").to.not.have.property("pixel");
    expect(constant!.image.auroc).to.equal(0.5);
  });

  it("stops with the signal's reason, and refuses good images of another size", async () => {
    const stop = new AbortController();
    const progress = (done: number): void => {
      if (done === 2) stop.abort(new Error("enough"));
    };
    const refusal = (options: Parameters<typeof evaluateControls>[2]) =>
      evaluateControls(configOf(), test, options).then(
        () => "",
        (error: Error) => error.message,
      );
    expect(await refusal({ progress, signal: stop.signal })).to.equal("enough");
    const small = stackImages(trained, trained.length, 16);
    expect(await refusal({ good: small })).to.match(
      /good images have 16 × 16 pixels, but the test images 32 × 32/,
    );
  });
});
