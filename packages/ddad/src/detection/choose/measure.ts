/** What settings reach on images whose defects are known, measured for all comparisons of one way of sampling at once. */
import { tensor } from "@ddad/nn";
import type { Config } from "../../config/schema.ts";
import { gatherPixels, type NamedImages, type NamedPixels, sideOf } from "../../data/imageSet.ts";
import type { SyntheticTestSet } from "../../data/synthetic/syntheticTestSet.ts";
import { auroc } from "../../metrics/curves.ts";
import { PixelMetrics } from "../../metrics/pixelMetrics.ts";
import { cropMask } from "../../metrics/protocolPixels.ts";
import { type DistanceName, type DistanceScales, distanceNames, distanceWeights } from "../distance.ts";
import { type Detector, largest, reconstructionOf } from "../inspect.ts";
import { Remembered } from "../remembered.ts";
import { ResidualMoments } from "../whitening.ts";
import type { Compared, GridDistances } from "./distances.ts";
import { type ComparisonSettings, withComparison } from "./grid.ts";

/** Good images to calibrate on, and images with known defects to measure on. */
export type Trial = {
  readonly calibration: NamedImages;
  readonly test: Pick<SyntheticTestSet, "samples" | "images" | "masks">;
};

/** What one comparison reached in a trial. */
export type Measurement = {
  /** AUPRO up to a false-positive rate of 0.3 of all regions, and of the regions of each kind beside the good images. */
  readonly aupro30: number;
  readonly kinds: Readonly<Record<string, number>>;
  readonly pixelAuroc: number;
  readonly imageAuroc: number;
};

/** How `measureTrials` goes about its work. */
export type MeasureOptions = {
  /** Bytes that are remembered of what good images were compared with. Default 256 MiB: 36 images of 256² by a ResNet-50. */
  readonly cacheBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told after every image that was measured. */
  readonly progress?: (() => void) | undefined;
};

/**
 * Measures comparisons: whitens and scales by the good images of a trial, as a calibration does, and takes the metrics of its other
 * images. A good image that comes in several trials is reconstructed once.
 *
 * @param detector with the way of sampling
 * @param distances of these comparisons, which also remember features from one way of sampling to the next
 * @param comparisons none where pixels alone are compared
 * @returns by trial, then by comparison; of pixels alone one measurement
 */
export async function measureTrials(
  detector: Omit<Detector, "calibration">,
  distances: GridDistances,
  comparisons: readonly ComparisonSettings[],
  trials: readonly Trial[],
  { cacheBytes = 2 ** 28, signal, progress }: MeasureOptions = {},
): Promise<Measurement[][]> {
  const known = new Remembered<string, Compared>(cacheBytes);
  const compare = async (image: NamedPixels, keep: boolean): Promise<Compared> => {
    const remembered = known.get(image.id);
    if (remembered) return remembered;
    const size = sideOf(image);
    using input = tensor(image.pixels, [1, size, size, 3]);
    using reconstruction = await reconstructionOf(detector, image, input, signal);
    const compared = await distances.compare(image, reconstruction);
    if (keep) known.keep(image.id, compared, [compared.plain, ...compared.residuals.map(({ data }) => data)]);
    return compared;
  };
  const tried = comparisons.length > 0 ? comparisons : [undefined];
  const measurements: Measurement[][] = [];
  for (const { calibration, test } of trials) {
    const { size } = test.images;
    const moments = new ResidualMoments(distances.whitened);
    for (const image of eachOf(calibration)) moments.add((await compare(image, true)).residuals);
    const whitening = moments.whitening();
    const scales = await scalesOf(detector, distances, tried, calibration, async (image, index) =>
      distances.whiten(await compare(image, true), size, moments.whiteningWithout(index)),
    );
    const weights = tried.map((comparison, k) => weightsOf(configOf(detector, comparison), scales[k]!));
    const collected = tried.map(() => new Collected(test, detector.config.detection.crop));
    for (const [index, { id, label }] of test.samples.entries()) {
      const image = { id, pixels: gatherPixels(test.images, [index]) };
      const maps = await distances.whiten(await compare(image, label === 0), size, whitening);
      const smooth = await distances.smooth(maps, size);
      for (const [k, comparison] of tried.entries()) {
        collected[k]!.add(distances.sum(smooth, comparison, weights[k]!), index);
      }
      progress?.();
    }
    measurements.push(collected.map((each) => each.result()));
  }
  return measurements;
}

/** As of a calibration, but a distance that is 0 in all good images, which nothing can be divided by, does not count. */
function weightsOf(config: Config, scales: DistanceScales): DistanceScales {
  const weights = distanceWeights(config, scales);
  return Object.fromEntries(
    Object.entries(weights).map(([name, weight]) => [name, scales[name as DistanceName] === 0 ? 0 : weight]),
  ) as DistanceScales;
}

const configOf = ({ config }: Omit<Detector, "calibration">, comparison: ComparisonSettings | undefined) =>
  comparison ? withComparison(config, comparison) : config;

function* eachOf({ images, ids }: NamedImages): Generator<NamedPixels> {
  for (const [index, id] of ids.entries()) yield { id, pixels: gatherPixels(images, [index]) };
}

/** What each comparison divides its distances by: their largest value in a good image, in the mean. */
async function scalesOf(
  detector: Omit<Detector, "calibration">,
  distances: GridDistances,
  tried: readonly (ComparisonSettings | undefined)[],
  images: NamedImages,
  maps: (image: NamedPixels, index: number) => Promise<Float32Array>,
): Promise<DistanceScales[]> {
  const names = tried.map((comparison) => distanceNames(configOf(detector, comparison)));
  const sums = names.map(
    (of) => Object.fromEntries(of.map((name) => [name, 0])) as Record<DistanceName, number>,
  );
  let index = 0;
  for (const image of eachOf(images)) {
    const found = await maps(image, index++);
    for (const [k, comparison] of tried.entries()) {
      for (const name of names[k]!) {
        const alone = { ...noDistance, [name]: 1 };
        sums[k]![name] += largest(distances.sum(found, comparison, alone)) / images.ids.length;
      }
    }
  }
  return sums;
}

const noDistance: Required<DistanceScales> = { pixel: 0, feature: 0, layer1: 0, layer2: 0, layer3: 0 };

/** Maps of one comparison, of which only what metrics need is kept. */
class Collected {
  readonly #pixels = new PixelMetrics();
  readonly #scores: number[] = [];
  readonly #test: Trial["test"];
  readonly #crop: number;

  constructor(test: Trial["test"], crop: number) {
    this.#test = test;
    this.#crop = crop;
  }

  add(map: Float32Array, index: number): void {
    const { masks, images } = this.#test;
    this.#pixels.add(map, cropMask(masks[index]!, images.size, this.#crop));
    this.#scores.push(largest(map));
  }

  result(): Measurement {
    const { samples } = this.#test;
    const labels = samples.map(({ label }) => label);
    const kinds = [...new Set(samples.filter(({ label }) => label === 1).map(({ kind }) => kind))];
    const weightings = kinds.map((name) =>
      samples.map(({ label, kind }) => Number(label === 0 || kind === name)),
    );
    const { aupro, auroc: pixelAuroc, weighted } = this.#pixels.result({ limits: [0.3], weightings });
    const areas = kinds.flatMap((kind, k) => (weighted[k] ? [[kind, weighted[k].aupro[0]!] as const] : []));
    return {
      aupro30: aupro[0]!,
      kinds: Object.fromEntries(areas),
      pixelAuroc,
      imageAuroc: auroc(labels, this.#scores),
    };
  }
}
