/** From images to anomaly maps and scores. */
import { type Tensor, tensor } from "@ddad/nn";
import type { Config } from "../config/schema.ts";
import { eachImage, type ImageSource, type NamedPixels, sideOf } from "../data/imageSet.ts";
import { hashPixels } from "../data/random.ts";
import { createSchedule, type Denoiser } from "../diffusion/denoiser.ts";
import { reconstruct } from "../diffusion/reconstruction.ts";
import { fromPixels } from "../images/image.ts";
import { type Calibration, calibrationDifferences, fromGoodImages } from "./calibration.ts";
import { type Comparison, createComparison, type Distances } from "./comparison.ts";
import { anomalyMap, batchWeights, type DistanceScales, distanceNames, distanceWeights } from "./distance.ts";
import type { Extractor } from "./features.ts";
import type { GoodImages } from "./nearest.ts";
import { searchFeatures } from "./searchFeatures.ts";

/** What inspects images. The networks are in evaluation mode. */
export type Detector = {
  readonly config: Config;
  /** Where the method is `ddad`. */
  readonly denoiser?: Denoiser | undefined;
  /** Without one only pixels are compared. */
  readonly extractor?: Extractor | undefined;
  /** Where an image is compared with, or reconstructed from, the nearest of them. */
  readonly goodImages?: GoodImages | undefined;
  /** Divides the distances by what is usual in good images; without one they stand as they are. */
  readonly calibration?: Calibration | undefined;
};

/** What was found in one image. */
export type Inspection = {
  readonly id: string;
  /** Largest value of the map; PatchCore's own rule there. */
  readonly score: number;
  /** `[mapSize · mapSize]`; the middle of the image where the protocol crops. */
  readonly map: Float32Array;
  readonly mapSize: number;
  /** What the image is compared with, where it is: itself without its defects, or the nearest good one; `[size, size, 3]` in [−1, 1]. */
  readonly reconstruction?: Float32Array | undefined;
  /** What it took, where the time since the inspection before does not say it: the images of a batch come all at once. */
  readonly milliseconds?: number | undefined;
};

/** As DDAD inspects. */
export type ReconstructedInspection = Inspection & { readonly reconstruction: Float32Array };

/** Options of `inspect`. */
export type InspectOptions = {
  /** Looked at before every sampling step; once it is aborted, its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
};

/**
 * Inspects images, one at a time: how a kernel divides its sums depends on the size of the batch, and with it the last
 * digits; so what is said of an image is the same, bit for bit, whatever it is inspected with. The paper's protocol is the
 * exception, by design of the published code: there distances are weighed by their maxima over `detection.batchSize` images
 * in the order given.
 *
 * @param images a set, or images that come one after the other: then no more than one is held, or one batch where the
 *   paper's protocol weighs over it.
 * @throws RangeError where an image is not square, or the calibration was made with other settings.
 */
export async function* inspect(
  detector: Detector,
  images: ImageSource,
  { signal }: InspectOptions = {},
): AsyncGenerator<ReconstructedInspection> {
  const { config, calibration } = detector;
  checkDetector(detector);
  const byBatch = config.protocol === "paper" && calibration === undefined && detector.extractor;
  const together = byBatch ? config.detection.batchSize : 1;
  const fixed = byBatch ? undefined : distanceWeights(config, calibration?.scales);
  using comparison = createComparison(config, detector.extractor, calibration?.whitening);
  for await (const batch of batches(measureAll(detector, comparison, images, signal), together)) {
    const weights = fixed ?? batchWeights(maximaOfAll(batch), config.detection.pixelWeight);
    for (const { id, reconstruction, distances, milliseconds: before } of batch) {
      const started = performance.now();
      const map = await mapOf(distances, weights, config);
      const milliseconds = before + performance.now() - started;
      yield { id, score: largest(map), map, mapSize: Math.sqrt(map.length), reconstruction, milliseconds };
    }
  }
}

type TimedMeasurement = Measured & { readonly id: string; readonly milliseconds: number };

async function* measureAll(
  detector: Detector,
  comparison: Comparison,
  images: ImageSource,
  signal: AbortSignal | undefined,
): AsyncGenerator<TimedMeasurement> {
  for await (const image of eachImage(images)) {
    const started = performance.now();
    const found = await measure(detector, comparison, image, signal);
    yield { ...found, id: image.id, milliseconds: performance.now() - started };
  }
}

const maximaOfAll = (batch: readonly Measured[]): DistanceScales[] =>
  batch.map(({ distances }) => maximaOf(distances));

/** What comes, in arrays of `size`; the last one may be shorter. */
async function* batches<T>(source: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const item of source) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/**
 * A configuration that compares features without a network to do it must not pass for one that does, nor a calibration for one
 * of settings that it was not made with.
 */
export function checkDetector({ config, denoiser, extractor, goodImages, calibration }: Detector): void {
  const { network } = config.features;
  if (config.method === "ddad" && denoiser === undefined) {
    throw new RangeError("inspect: method is ddad, but no denoiser was given; give one.");
  }
  if (fromGoodImages(config) && goodImages === undefined) {
    const setting = config.method === "ddad" ? "sampling.from is nearest" : `method is ${config.method}`;
    throw new RangeError(`inspect: ${setting}, but no good images were given; give them.`);
  }
  if ((network === "none") !== (extractor === undefined)) {
    throw new RangeError(
      extractor
        ? "inspect: an extractor was given, but features.network is none; name the network there."
        : `inspect: features.network is ${network}, but no extractor was given; give one, or set features.network to none.`,
    );
  }
  const differences = calibration ? calibrationDifferences(calibration, config) : [];
  if (differences.length > 0) {
    throw new RangeError(
      `inspect: the calibration was made with other settings (${differences.join(", ")}); calibrate with these.`,
    );
  }
}

/** The reconstruction of one image and its distances from it. */
export type Measured = { readonly reconstruction: Float32Array; readonly distances: Distances };

/** Reconstructs one image, and compares both. @param compare by default gives the distances */
export async function measure(
  detector: Omit<Detector, "calibration">,
  comparison: Comparison,
  image: NamedPixels,
  signal: AbortSignal | undefined,
): Promise<Measured> {
  const size = sideOf(image);
  using input = tensor(image.pixels, [1, size, size, 3]);
  using reconstruction = await reconstructionOf(detector, image, input, signal);
  const distances = await comparison.distances(input, reconstruction);
  return { reconstruction: (await reconstruction.data()) as Float32Array, distances };
}

/** What an image would look like without its defects, `[1, size, size, 3]`. @param input its pixels on the device */
export async function reconstructionOf(
  detector: Omit<Detector, "calibration">,
  image: NamedPixels,
  input: Tensor,
  signal: AbortSignal | undefined,
): Promise<Tensor> {
  signal?.throwIfAborted();
  const { config, denoiser } = detector;
  const { method, sampling } = config;
  const good = fromGoodImages(config) ? await nearestGoodImage(detector, image) : undefined;
  const nearest = good && tensor(good, input.shape);
  if (method !== "ddad") return nearest!;
  try {
    return await reconstruct(denoiser!, nearest ?? input, input, {
      ...sampling,
      schedule: createSchedule(config),
      images: [hashPixels(image.pixels)],
      signal,
    });
  } finally {
    nearest?.dispose();
  }
}

/** Pixels of the good image nearest to one, `[size, size, 3]`. */
async function nearestGoodImage(
  { config, extractor, goodImages }: Omit<Detector, "calibration">,
  image: NamedPixels,
): Promise<Float32Array> {
  const size = sideOf(image);
  const index =
    config.nearest.by === "features"
      ? goodImages!.nearestByFeatures(await searchFeatures(extractor!, image.pixels))
      : goodImages!.nearestTo(fromPixels(image.pixels, size, size));
  return goodImages!.pixelsOf(index);
}

/** A map of weighted distances, `[mapSize · mapSize]`. */
export async function mapOf(
  distances: Distances,
  weights: DistanceScales,
  config: Pick<Config, "detection" | "features">,
): Promise<Float32Array> {
  const size = Math.sqrt(distances.pixel.length);
  const weighted = distanceNames(config).map((name) => ({
    distance: tensor(distances[name]!, [1, size, size, 1]),
    weight: weights[name] ?? 1,
  }));
  try {
    using map = anomalyMap(weighted, config.detection);
    return (await map.data()) as Float32Array;
  } finally {
    for (const { distance } of weighted) distance.dispose();
  }
}

/** The largest of the values of a map. */
export const largest = (values: Float32Array): number => values.reduce((a, b) => Math.max(a, b), -Infinity);

/** The largest value of each distance. */
export const maximaOf = (distances: Distances): DistanceScales =>
  Object.fromEntries(
    Object.entries(distances).map(([name, values]) => [name, largest(values as Float32Array)]),
  ) as DistanceScales;
