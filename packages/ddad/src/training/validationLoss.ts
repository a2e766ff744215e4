/** How well a denoiser does on images that it is not trained on, time step by time step, at noise that never changes. */
import { uniform } from "../data/random.ts";
import { type Draw, noisePurposes } from "../diffusion/noise.ts";

/** Time steps that are averaged together, both ends included. */
export type TimestepBucket = { readonly from: number; readonly to: number };

/** The denoising loss of held-out images. */
export type ValidationLoss = {
  /** Mean squared error per value over all time steps that are trained, each counting the same. */
  readonly mean: number;
  /** The same for parts of them, rising. Little noise is hard to tell from the image: the first are the largest. */
  readonly buckets: readonly (TimestepBucket & { readonly loss: number })[];
};

/** Time steps of a bucket; more where there would be more than ten. */
const width = 50;

/** 0 … `largest` in buckets of 50, or a multiple of it where these would be more than ten; the last takes up what is left over. */
export function timestepBuckets(largest: number): TimestepBucket[] {
  const size = width * Math.ceil((largest + 1) / (10 * width));
  const count = Math.max(Math.round((largest + 1) / size), 1);
  return Array.from({ length: count }, (_, index) => ({
    from: index * size,
    to: index === count - 1 ? largest : (index + 1) * size - 1,
  }));
}

/** The time step at which an image stands for a bucket: the same for every look at it. */
export function timestepIn({ from, to }: TimestepBucket, seed: number, { image, step }: Draw): number {
  return from + Math.floor(uniform(seed, noisePurposes.timestep, image, step) * (to - from + 1));
}

/**
 * The mean loss of each bucket of time steps, and their mean.
 *
 * @param losses of every bucket, those of all images
 */
export function validationLoss(
  buckets: readonly TimestepBucket[],
  losses: readonly (readonly number[])[],
): ValidationLoss {
  const means = buckets.map((bucket, index) => {
    const values = losses[index]!;
    return { ...bucket, loss: values.reduce((sum, value) => sum + value, 0) / values.length };
  });
  const steps = buckets.at(-1)!.to + 1;
  const mean = means.reduce((sum, { from, to, loss }) => sum + (loss * (to - from + 1)) / steps, 0);
  return { mean, buckets: means };
}

/** In one line for people: the mean, and the losses of the least and of the most noise where these are separate. */
export function describeValidationLoss({ mean, buckets }: ValidationLoss): string {
  const [low, high] = [buckets[0]!, buckets.at(-1)!].map(({ loss }) => loss.toPrecision(3));
  const ends = buckets.length > 1 ? ` (low noise: ${low}, high noise: ${high})` : "";
  return `validation loss ${mean.toPrecision(4)}${ends}`;
}
