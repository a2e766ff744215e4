/**
 * Whether an image shows at all what the model was trained on. A detector compares an image with itself without defects, or
 * its patches with good ones; a gray card, a covered lens or an empty belt can pass both. A few cheap numbers tell them apart.
 *
 * How far an image may lie from the held-out ones follows from these: a normal distribution of their spread would reach as far once
 * in 100,000 images. Where one of them lies as far from the others, one and a half times its distance is the limit.
 */
import * as z from "zod";
import { studentQuantile } from "../metrics/studentQuantile.ts";
import { type ImageDescription, thumbnailSide } from "./imageDescription.ts";

/** Held-out images that a likeness takes at least; fewer say too little about what is usual. */
export const fewestImages = 4;

/** How often a normally distributed number is called unlike. */
const chance = 1e-5;

/** How much farther than each held-out image lies from the others an image must lie. */
const beyondHeldOut = 1.5;

/** Held-out images that are compared with all others, at most. */
const mostCompared = 200;

/**
 * Smallest reaches, however alike held-out images are. A defect changes a part of an image: it may double contrast and detail of the
 * whole, but takes little of them away.
 */
const least = { mean: 30, ratio: Math.log(1.5), added: Math.log(2), distance: 24 };

/** A usual value and how far held-out images lie from it. */
const rangeSchema = z.strictObject({ mean: z.number(), std: z.number().nonnegative() });
const thumbnailSchema = z.array(z.number()).length(thumbnailSide ** 2 * 3);

/** Numbers that are judged together: brightness, contrast, detail and both of sharpness. */
const joined = 5;

/** Criteria of `judge`. */
const criteria = 12;

/** What a likeness must be, as zod's schema; it checks those that come from files. */
export const likenessSchema = z.strictObject({
  /** Images that it was fitted on. */
  count: z.number().int().min(fewestImages),
  /** Of the numbers of `ImageDescription`. */
  means: z.array(rangeSchema).length(3),
  brightness: rangeSchema,
  contrasts: z.array(rangeSchema).length(3),
  detail: rangeSchema,
  sharpness: rangeSchema,
  /** Mean thumbnail, `[8, 8, 3]`, and the distance of a good image from it. */
  thumbnail: thumbnailSchema,
  layout: rangeSchema,
  /** Mean of the thumbnails with the values of each channel sorted, and the distance of a good image from it. */
  sorted: thumbnailSchema,
  histogram: rangeSchema,
  /** Mean of the numbers that are judged together, and the inverse of their covariance matrix, by rows. */
  joint: z.strictObject({
    mean: z.array(z.number()).length(joined),
    precision: z.array(z.number()).length(joined ** 2),
  }),
  /** How far an image may lie outside by each criterion, in the order of `judge`; 1 is the reach that follows from the spread. */
  limits: z.array(z.number().min(1)).length(criteria),
});

/** What good images look like as a whole. */
export type Likeness = z.infer<typeof likenessSchema>;

type Range = z.infer<typeof rangeSchema>;

/** Fits what good images look like; undefined of fewer than four, which say too little. */
export function fitLikeness(images: readonly ImageDescription[]): Likeness | undefined {
  if (images.length < fewestImages) return undefined;
  const every = Math.ceil(images.length / mostCompared);
  const limits = new Array<number>(criteria).fill(1);
  for (let index = 0; index < images.length; index += every) {
    const others = fit(images.filter((_, i) => i !== index));
    for (const [k, { ratio }] of judge(others, images[index]!).entries()) {
      limits[k] = Math.max(limits[k]!, beyondHeldOut * ratio);
    }
  }
  return { ...fit(images), limits };
}

type Fit = Omit<Likeness, "limits">;

function fit(images: readonly ImageDescription[]): Fit {
  const range = (pick: (image: ImageDescription) => number): Range => rangeOf(images.map(pick));
  const perChannel = (name: "means" | "contrasts"): Range[] =>
    [0, 1, 2].map((c) => range((image) => image[name][c]!));
  return {
    count: images.length,
    means: perChannel("means"),
    brightness: range(({ brightness }) => brightness),
    contrasts: perChannel("contrasts"),
    detail: range(({ detail }) => detail),
    sharpness: range(({ sharpness }) => sharpness[1]),
    thumbnail: meanOf(images.map(({ thumbnail }) => thumbnail)),
    layout: rangeOf(distancesFromOthers(images.map(({ thumbnail }) => thumbnail))),
    sorted: meanOf(images.map(({ sorted }) => sorted)),
    histogram: rangeOf(distancesFromOthers(images.map(({ sorted }) => sorted))),
    joint: fitJoint(images.map(joinedNumbers)),
  };
}

/** Why an image is unlike the good ones, as the end of a sentence; undefined where it is not. */
export function describeUnlikeness(likeness: Likeness, image: ImageDescription): string | undefined {
  return judge(likeness, image).find(({ ratio }, k) => ratio > likeness.limits[k]!)?.reason;
}

/** How far an image lies outside, by each criterion: 1 is the farthest that the spread of the held-out images allows. */
function judge(fitted: Fit, image: ImageDescription): { readonly ratio: number; readonly reason: string }[] {
  const reach = reachOf(fitted.count);
  const judged = (
    { mean, std }: Range,
    value: number,
    smallest: Readonly<Record<"lower" | "higher", number>>,
    reason: (word: "lower" | "higher") => string,
  ) => {
    const word = value < mean ? "lower" : "higher";
    return { ratio: Math.abs(value - mean) / Math.max(reach * std, smallest[word]), reason: reason(word) };
  };
  const changed = { lower: least.ratio, higher: least.added };
  // A distance has a long tail, so that it must also be a multiple of the usual one.
  const distance = ({ mean, std }: Range, value: number, reason: string) => ({
    ratio: value / (mean + Math.max(reach * std, mean, least.distance)),
    reason,
  });
  const { joint } = fitted;
  return [
    ...[0, 1, 2].flatMap((c) => [
      judged(fitted.contrasts[c]!, image.contrasts[c]!, changed, (word) => `its contrast is far ${word}`),
      judged(
        fitted.means[c]!,
        image.means[c]!,
        { lower: least.mean, higher: least.mean },
        (word) => `its ${["red", "green", "blue"][c]} is far ${word} on average`,
      ),
    ]),
    judged(fitted.brightness, image.brightness, { lower: least.ratio, higher: least.ratio }, (word) =>
      word === "lower" ? "it is far darker" : "it is far brighter",
    ),
    judged(
      fitted.detail,
      image.detail,
      changed,
      (word) => `its fine detail is far ${word === "lower" ? "less" : "more"}`,
    ),
    judged(fitted.sharpness, image.sharpness[1], changed, (word) =>
      word === "lower" ? "it is far out of focus" : "it has far more noise",
    ),
    distance(
      fitted.histogram,
      rmsDistance(image.sorted, fitted.sorted),
      "its brightness and colours are distributed otherwise",
    ),
    distance(
      fitted.layout,
      rmsDistance(image.thumbnail, fitted.thumbnail),
      "its light and dark areas lie elsewhere",
    ),
    {
      ratio: mahalanobis(joint, joinedNumbers(image)) / Math.sqrt(reach ** 2 + joined),
      reason: "its brightness, contrast and sharpness do not go together as they do in good images",
    },
  ];
}

/**
 * Whether a score lies so far below those of all held-out good images that the image shows no part: smooth images score next
 * to nothing in DDAD. It does not hold for PatchCore, which knows the images of its bank by heart.
 */
export function isFarBelow(scores: readonly number[], score: number): boolean {
  if (scores.length < fewestImages || scores.some((value) => value <= 0)) return false;
  const { mean, std } = rangeOf(scores.map(Math.log));
  return score <= 0 || Math.log(score) < mean - Math.max(reachOf(scores.length) * std, least.ratio);
}

/** Standard deviations of so many images within which a new one lies, but for `chance`: the prediction interval of Student. */
const reachOf = (count: number): number =>
  studentQuantile(1 - chance / 2, count - 1) * Math.sqrt(1 + 1 / count);

const joinedNumbers = ({ brightness, contrasts, detail, sharpness }: ImageDescription): number[] => [
  brightness,
  contrasts.reduce((sum, contrast) => sum + contrast, 0) / contrasts.length,
  detail,
  ...sharpness,
];

/** Few images say little of how numbers go together, so that their covariances count less; none is so small that a defect would matter. */
function fitJoint(vectors: readonly (readonly number[])[]): Likeness["joint"] {
  const count = vectors.length;
  const mean = meanOf(vectors);
  const kept = 1 - Math.min(1, joined / count);
  const floor = (least.added / reachOf(count)) ** 2;
  const covariance = mean.map((_, row) =>
    mean.map((_, column) => {
      const sum = vectors.reduce((s, v) => s + (v[row]! - mean[row]!) * (v[column]! - mean[column]!), 0);
      return row === column ? sum / (count - 1) + floor : (kept * sum) / (count - 1);
    }),
  );
  return { mean, precision: invert(covariance).flat() };
}

function mahalanobis({ mean, precision }: Likeness["joint"], vector: readonly number[]): number {
  const difference = vector.map((value, i) => value - mean[i]!);
  const square = difference.reduce(
    (sum, a, i) => sum + difference.reduce((part, b, j) => part + a * precision[i * joined + j]! * b, 0),
    0,
  );
  return Math.sqrt(Math.max(square, 0));
}

/** The inverse of a positive definite matrix, by Gauss and Jordan, whose pivots are then positive. */
function invert(matrix: readonly (readonly number[])[]): number[][] {
  const rows = matrix.map((row, i) => [...row, ...row.map((_, j) => Number(i === j))]);
  for (const [i, row] of rows.entries()) {
    const pivot = row[i]!;
    for (let k = 0; k < row.length; k++) row[k] = row[k]! / pivot;
    for (const [j, other] of rows.entries()) {
      const factor = other[i]!;
      if (j === i || factor === 0) continue;
      for (let k = 0; k < other.length; k++) other[k] = other[k]! - factor * row[k]!;
    }
  }
  return rows.map((row) => row.slice(matrix.length));
}

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
