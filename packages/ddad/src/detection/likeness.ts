/**
 * Whether an image shows at all what the model was trained on. A detector compares an image with itself without defects, or
 * its patches with good ones; a gray card, a covered lens or an empty belt can pass both. A few cheap numbers tell them apart.
 */
import * as z from "zod";
import type { Image } from "../images/image.ts";
import { resizeBilinear } from "../images/resize.ts";

/** Side of the thumbnail that stands for the low frequencies of an image. */
const side = 8;

/** Fewer held-out images say too little about what is usual. */
const fewest = 4;

/** A usual value and how far held-out images lie from it. */
const rangeSchema = z.strictObject({ mean: z.number(), std: z.number().nonnegative() });

/** What a likeness must be, as zod's schema; it checks those that come from files. */
export const likenessSchema = z.strictObject({
  /** Images that it was fitted on. */
  count: z.number().int().min(fewest),
  /** Mean of each channel, 0 … 255. */
  means: z.array(rangeSchema).length(3),
  /** Logarithm of 1 + mean of all channels: light is a factor, so that half of it counts as much as twice. */
  brightness: rangeSchema,
  /** Logarithm of 1 + standard deviation of each channel. */
  contrasts: z.array(rangeSchema).length(3),
  /** Logarithm of 1 + mean difference of neighbouring pixels: how much fine detail there is. */
  detail: rangeSchema,
  /** Mean thumbnail, `[8, 8, 3]`, and the distance of a good image from it. */
  thumbnail: z.array(z.number()).length(side * side * 3),
  layout: rangeSchema,
  /** Mean of the thumbnails with the values of each channel sorted, and the distance of a good image from it. */
  sorted: z.array(z.number()).length(side * side * 3),
  histogram: rangeSchema,
});

/** What good images look like as a whole. */
export type Likeness = z.infer<typeof likenessSchema>;

type Range = z.infer<typeof rangeSchema>;

/** What one image looks like as a whole, in the numbers of `Likeness`. */
export type ImageDescription = {
  readonly means: readonly number[];
  readonly brightness: number;
  readonly contrasts: readonly number[];
  readonly detail: number;
  readonly thumbnail: readonly number[];
  readonly sorted: readonly number[];
};

/** Describes an RGB image, as it was resized for the network. */
export function describeImage(image: Image): ImageDescription {
  const { width, height, channels, data } = image;
  const at = (pixel: number, channel: number): number => data[pixel * channels + (channel % channels)]!;
  const count = width * height;
  const means: number[] = [];
  const contrasts: number[] = [];
  let differences = 0;
  for (let c = 0; c < 3; c++) {
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < count; i++) {
      const value = at(i, c);
      sum += value;
      squares += value * value;
      if (i % width > 0) differences += Math.abs(value - at(i - 1, c));
      if (i >= width) differences += Math.abs(value - at(i - width, c));
    }
    const mean = sum / count;
    means.push(mean);
    contrasts.push(Math.log1p(Math.sqrt(Math.max(squares / count - mean * mean, 0))));
  }
  const pairs = Math.max(3 * ((width - 1) * height + width * (height - 1)), 1);
  const small = resizeBilinear(image, side, side);
  const thumbnail = Array.from({ length: side * side * 3 }, (_, i) => {
    return small.data[Math.floor(i / 3) * channels + ((i % 3) % channels)]!;
  });
  return {
    means,
    brightness: Math.log1p((means[0]! + means[1]! + means[2]!) / 3),
    contrasts,
    detail: Math.log1p(differences / pairs),
    thumbnail,
    sorted: sortChannels(thumbnail),
  };
}

/** Fits what good images look like; undefined of fewer than four, which say too little. */
export function fitLikeness(images: readonly ImageDescription[]): Likeness | undefined {
  if (images.length < fewest) return undefined;
  const perChannel = (name: "means" | "contrasts"): Range[] =>
    [0, 1, 2].map((c) => rangeOf(images.map((image) => image[name][c]!)));
  return {
    count: images.length,
    means: perChannel("means"),
    brightness: rangeOf(images.map(({ brightness }) => brightness)),
    contrasts: perChannel("contrasts"),
    detail: rangeOf(images.map(({ detail }) => detail)),
    thumbnail: meanOf(images.map(({ thumbnail }) => thumbnail)),
    layout: rangeOf(distancesFromOthers(images.map(({ thumbnail }) => thumbnail))),
    sorted: meanOf(images.map(({ sorted }) => sorted)),
    histogram: rangeOf(distancesFromOthers(images.map(({ sorted }) => sorted))),
  };
}

/**
 * Why an image is unlike the good ones, as the end of a sentence; undefined where it is not.
 *
 * The margin is wide on purpose: six standard deviations of the held-out images, more where these are few, and never less
 * than what the eye would miss. A defect changes a part of an image, not all of it, and stays far below.
 */
export function describeUnlikeness(likeness: Likeness, image: ImageDescription): string | undefined {
  const margin = marginOf(likeness.count);
  const outside = ({ mean, std }: Range, value: number, least: number): "lower" | "higher" | undefined => {
    const reach = margin * Math.max(std, least);
    return value < mean - reach ? "lower" : value > mean + reach ? "higher" : undefined;
  };
  // A distance has a long tail, so that it must also be a multiple of the usual one.
  const isFar = (range: Range, distance: number): boolean =>
    outside(range, distance, Math.max(4, range.mean / 3)) === "higher";
  for (const c of [0, 1, 2]) {
    const contrast = outside(likeness.contrasts[c]!, image.contrasts[c]!, 0.11);
    if (contrast !== undefined) return `its contrast is far ${contrast}`;
    const mean = outside(likeness.means[c]!, image.means[c]!, 6);
    if (mean !== undefined) return `its ${["red", "green", "blue"][c]} is far ${mean} on average`;
  }
  const brightness = outside(likeness.brightness, image.brightness, 0.08);
  if (brightness !== undefined) return `it is far ${brightness === "lower" ? "darker" : "brighter"}`;
  const detail = outside(likeness.detail, image.detail, 0.11);
  if (detail !== undefined) return `its fine detail is far ${detail === "lower" ? "less" : "more"}`;
  if (isFar(likeness.histogram, rmsDistance(image.sorted, likeness.sorted))) {
    return "its brightness and colours are distributed otherwise";
  }
  if (isFar(likeness.layout, rmsDistance(image.thumbnail, likeness.thumbnail))) {
    return "its light and dark areas lie elsewhere";
  }
  return undefined;
}

/**
 * Whether a score lies so far below those of all held-out good images that the image shows no part: smooth images score next
 * to nothing in DDAD. It does not hold for PatchCore, which knows the images of its bank by heart.
 */
export function isFarBelow(scores: readonly number[], score: number): boolean {
  if (scores.length < fewest || scores.some((value) => value <= 0)) return false;
  const { mean, std } = rangeOf(scores.map(Math.log));
  return score <= 0 || Math.log(score) < mean - marginOf(scores.length) * Math.max(std, 0.08);
}

/** Standard deviations that an image may lie from the mean. */
const marginOf = (count: number): number => 6 * (1 + 32 / count ** 2);

function rangeOf(values: readonly number[]): Range {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, std: Math.sqrt(variance) };
}

const meanOf = (vectors: readonly (readonly number[])[]): number[] =>
  vectors[0]!.map((_, i) => vectors.reduce((sum, vector) => sum + vector[i]!, 0) / vectors.length);

/** The distance of each vector from the mean of the others, as a new image has it. */
function distancesFromOthers(vectors: readonly (readonly number[])[]): number[] {
  const mean = meanOf(vectors);
  const { length } = vectors;
  return vectors.map((vector) => (rmsDistance(vector, mean) * length) / (length - 1));
}

const rmsDistance = (a: readonly number[], b: readonly number[]): number =>
  Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length);

/** The values of each channel rising, whatever their places. */
function sortChannels(values: readonly number[]): number[] {
  const channels = [0, 1, 2].map((c) => values.filter((_, i) => i % 3 === c).sort((a, b) => a - b));
  return values.map((_, i) => channels[i % 3]![Math.floor(i / 3)]!);
}
