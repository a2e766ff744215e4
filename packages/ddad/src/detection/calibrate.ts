/** Calibration on good images that were not trained on: what their distances and scores are like. */
import { tensor } from "@ddad/nn";
import {
  gatherPixels,
  type ImageSet,
  imageAt,
  type NamedImages,
  type NamedPixels,
} from "../data/imageSet.ts";
import { buildCalibration, type Calibration, type HeldOutInspection } from "./calibration.ts";
import { createComparison, type Distances, type Residual } from "./comparison.ts";
import { type DistanceName, type DistanceScales, distanceNames, distanceWeights } from "./distance.ts";
import { describeImage } from "./imageDescription.ts";
import {
  checkDetector,
  type Detector,
  largest,
  mapOf,
  maximaOf,
  measure,
  reconstructionOf,
} from "./inspect.ts";
import { fitLikeness, type Likeness } from "./likeness.ts";
import { Remembered } from "./remembered.ts";
import { ResidualMoments, type Whitening } from "./whitening.ts";

/** How a calibration goes about its work. */
export type CalibrationOptions = {
  /**
   * Bytes that are remembered from one pass over the images to the next: residuals of features, then distances. Those of further
   * images are recomputed, to the same values. Default 256 MiB: residuals of 36 images, distances of 256 of 256².
   */
  readonly cacheBytes?: number;
  /** Looked at before every sampling step; once it is aborted, its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
};

type Uncalibrated = Omit<Detector, "calibration">;

/**
 * Calibrates on good images that were not trained on. The scores that thresholds come from are those of images that had no part in
 * the statistics which they are whitened by: each is compared by those of all the others.
 */
export async function calibrate(
  detector: Uncalibrated,
  images: NamedImages,
  { cacheBytes = 2 ** 28, signal }: CalibrationOptions = {},
): Promise<Calibration> {
  const { config } = detector;
  checkDetector(detector);
  const { whitening, without, known } = await whiteningOf(detector, images, cacheBytes, signal);
  const distancesOf = async (index: number): Promise<Distances> => {
    // Fresh images had no part in the statistics: with its own an image would score less than they do.
    using comparison = createComparison(config, detector.extractor, without?.(index));
    const image = named(images, index);
    const remembered = known.get(index);
    if (remembered === undefined) return (await measure(detector, comparison, image, signal)).distances;
    const shape = [1, images.images.size, images.images.size, 3];
    using input = tensor(image.pixels, shape);
    using reconstruction = tensor(remembered.reconstruction, shape);
    return await comparison.distancesOf(input, reconstruction, remembered.residuals);
  };
  const memory = new Remembered<number, Distances>(cacheBytes);
  const maxima: DistanceScales[] = [];
  for (const index of images.ids.keys()) {
    const distances = await distancesOf(index);
    maxima.push(maximaOf(distances));
    memory.keep(index, distances, Object.values(distances) as Float32Array[]);
  }
  known.clear();
  const mean = (name: DistanceName): number =>
    maxima.reduce((sum, distances) => sum + distances[name]!, 0) / maxima.length;
  const scales = Object.fromEntries(
    distanceNames(config).map((name) => [name, mean(name)]),
  ) as DistanceScales;
  const weights = distanceWeights(config, scales);
  async function* inspections(): AsyncGenerator<HeldOutInspection> {
    for (const index of images.ids.keys()) {
      const map = await mapOf(memory.get(index) ?? (await distancesOf(index)), weights, config);
      yield { score: largest(map), map };
    }
  }
  // Awaited here: `using` disposes of what is compared with when the function returns.
  return await buildCalibration(config, inspections(), {
    scales,
    whitening,
    likeness: likenessOfSet(images.images),
  });
}

/** What is known of an image after the first pass. */
type Compared = { readonly reconstruction: Float32Array; readonly residuals: readonly Residual[] };

/** Statistics of the residuals of good images, and what could be remembered of each; neither where nothing is whitened. */
async function whiteningOf(
  detector: Uncalibrated,
  images: NamedImages,
  cacheBytes: number,
  signal: AbortSignal | undefined,
): Promise<{
  readonly whitening?: Whitening;
  /** By all images but one. */
  readonly without?: (index: number) => Whitening;
  readonly known: Remembered<number, Compared>;
}> {
  using comparison = createComparison(detector.config, detector.extractor);
  const known = new Remembered<number, Compared>(cacheBytes);
  const { layers } = comparison;
  if (layers.length === 0) return { known };
  const moments = new ResidualMoments(layers);
  for (const index of images.ids.keys()) {
    const image = named(images, index);
    using input = tensor(image.pixels, [1, images.images.size, images.images.size, 3]);
    using reconstruction = await reconstructionOf(detector, image, input, signal);
    const residuals = await comparison.residuals(input, reconstruction);
    moments.add(residuals);
    const compared = { reconstruction: (await reconstruction.data()) as Float32Array, residuals };
    known.keep(index, compared, [compared.reconstruction, ...residuals.map(({ data }) => data)]);
  }
  return { whitening: moments.whitening(), without: (index) => moments.whiteningWithout(index), known };
}

/** What the images of a set look like as a whole; undefined where they are too few to tell. */
export const likenessOfSet = (set: ImageSet): Likeness | undefined =>
  fitLikeness(Array.from({ length: set.count }, (_, index) => describeImage(imageAt(set, index))));

const named = ({ ids, images }: NamedImages, index: number): NamedPixels => ({
  id: ids[index]!,
  pixels: gatherPixels(images, [index]),
});
