/** From images to anomaly maps and scores. */
import { compile, evaluate, Module, type Tensor, tensor } from "@ddad/nn";
import type { Config } from "../config/schema.ts";
import {
  eachImage,
  gatherPixels,
  type ImageSet,
  type ImageSource,
  imageAt,
  type NamedImages,
  type NamedPixels,
  sideOf,
} from "../data/imageSet.ts";
import { hashText } from "../data/random.ts";
import { createSchedule, type Denoiser } from "../diffusion/denoiser.ts";
import { reconstruct } from "../diffusion/reconstruction.ts";
import {
  buildCalibration,
  type Calibration,
  calibrationDifferences,
  type HeldOutInspection,
} from "./calibration.ts";
import { anomalyMap, batchWeights, type DistanceScales, distanceWeights, pixelDistance } from "./distance.ts";
import { type Extractor, featureDistance } from "./features.ts";
import { describeImage } from "./imageDescription.ts";
import { fitLikeness, type Likeness } from "./likeness.ts";

/** What inspects images. The networks are in evaluation mode. */
export type Detector = {
  readonly config: Config;
  readonly denoiser: Denoiser;
  /** Without one only pixels are compared. */
  readonly extractor?: Extractor | undefined;
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
  /** The image without its defects, `[size, size, 3]` in [−1, 1], where the method makes one. */
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
  for await (const batch of batches(measureAll(detector, images, signal), together)) {
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
  images: ImageSource,
  signal: AbortSignal | undefined,
): AsyncGenerator<TimedMeasurement> {
  for await (const image of eachImage(images)) {
    const started = performance.now();
    const found = await measure(detector, image, signal);
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

/** How a calibration goes about its work. */
export type CalibrationOptions = {
  /**
   * Bytes of distances that are remembered until the scales are known. Those of further images are computed a second time,
   * to the same values. Default 256 MiB: 32 images of 1024² with features, 512 of 256².
   */
  readonly cacheBytes?: number;
  /** Looked at before every sampling step; once it is aborted, its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
};

/** Calibrates on good images that were not trained on. */
export async function calibrate(
  detector: Omit<Detector, "calibration">,
  images: NamedImages,
  { cacheBytes = 2 ** 28, signal }: CalibrationOptions = {},
): Promise<Calibration> {
  const { config } = detector;
  checkDetector(detector);
  const remembered = new Map<number, Distances>();
  let room = cacheBytes;
  const maxima: DistanceScales[] = [];
  for (const index of images.ids.keys()) {
    const { distances } = await measure(detector, named(images, index), signal);
    maxima.push(maximaOf(distances));
    const { pixel, feature } = distances;
    const bytes = pixel.byteLength + (feature?.byteLength ?? 0);
    if (bytes > room) continue;
    room -= bytes;
    remembered.set(index, distances);
  }
  const mean = (name: keyof DistanceScales): number =>
    maxima.reduce((sum, distances) => sum + distances[name]!, 0) / maxima.length;
  const scales = { pixel: mean("pixel"), ...(detector.extractor && { feature: mean("feature") }) };
  const weights = distanceWeights(config, scales);
  async function* inspections(): AsyncGenerator<HeldOutInspection> {
    for (const index of images.ids.keys()) {
      const known = remembered.get(index);
      const { distances } = known
        ? { distances: known }
        : await measure(detector, named(images, index), signal);
      const map = await mapOf(distances, weights, config);
      yield { score: largest(map), map };
    }
  }
  return buildCalibration(config, inspections(), scales, likenessOfSet(images.images));
}

/** What the images of a set look like as a whole; undefined where they are too few to tell. */
export const likenessOfSet = (set: ImageSet): Likeness | undefined =>
  fitLikeness(Array.from({ length: set.count }, (_, index) => describeImage(imageAt(set, index))));

const named = ({ ids, images }: NamedImages, index: number): NamedPixels => ({
  id: ids[index]!,
  pixels: gatherPixels(images, [index]),
});

/**
 * A configuration that compares features without a network to do it must not pass for one that does, nor a calibration for one
 * of settings that it was not made with.
 */
function checkDetector({ config, extractor, calibration }: Detector): void {
  const { network } = config.features;
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

/** Distances of one image, `[size · size]`. */
type Distances = { readonly pixel: Float32Array; readonly feature?: Float32Array };
type Measured = { readonly reconstruction: Float32Array; readonly distances: Distances };

/** The reconstruction of one image and its distances from it. */
async function measure(
  { config, denoiser, extractor }: Omit<Detector, "calibration">,
  image: NamedPixels,
  signal: AbortSignal | undefined,
): Promise<Measured> {
  signal?.throwIfAborted();
  const size = sideOf(image);
  using input = tensor(image.pixels, [1, size, size, 3]);
  using reconstruction = await reconstruct(denoiser, input, input, {
    ...config.sampling,
    schedule: createSchedule(config),
    images: [hashText(image.id)],
    signal,
  });
  using pixel = pixelDistance(reconstruction, input);
  // Weights loaded a moment ago must be in the buffers that the compiled distance reads.
  if (extractor instanceof Module) await evaluate(...extractor.namedState().values());
  using feature = await compiledDistance(extractor)?.(reconstruction, input);
  return {
    reconstruction: (await reconstruction.data()) as Float32Array,
    distances: {
      pixel: (await pixel.data()) as Float32Array,
      ...(feature && { feature: (await feature.data()) as Float32Array }),
    },
  };
}

/** The feature distance by an extractor, recorded once. */
function compiledDistance(extractor: Extractor | undefined) {
  if (extractor === undefined) return undefined;
  const known = compiledDistances.get(extractor);
  if (known) return known;
  const compiled = compile((a: Tensor, b: Tensor) => featureDistance(extractor, a, b));
  compiledDistances.set(extractor, compiled);
  return compiled;
}

const compiledDistances = new WeakMap<Extractor, (a: Tensor, b: Tensor) => Promise<Tensor>>();

async function mapOf(
  { pixel, feature }: Distances,
  weights: Readonly<Partial<DistanceScales>>,
  { detection }: Config,
): Promise<Float32Array> {
  const size = Math.sqrt(pixel.length);
  const shape = [1, size, size, 1];
  using pixelTensor = tensor(pixel, shape);
  using featureTensor = feature && tensor(feature, shape);
  const distances = [
    { distance: pixelTensor, weight: weights.pixel ?? 1 },
    ...(featureTensor ? [{ distance: featureTensor, weight: weights.feature ?? 1 }] : []),
  ];
  using map = anomalyMap(distances, detection);
  return (await map.data()) as Float32Array;
}

const largest = (values: Float32Array): number => values.reduce((a, b) => Math.max(a, b), -Infinity);

const maximaOf = ({ pixel, feature }: Distances): DistanceScales => ({
  pixel: largest(pixel),
  ...(feature && { feature: largest(feature) }),
});
