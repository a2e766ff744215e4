/** An image as a whole, in a few cheap numbers. */
import type { Image } from "../images/image.ts";
import { resizeBilinear } from "../images/resize.ts";

/** Side of the thumbnail that stands for the low frequencies of an image. */
export const thumbnailSide = 8;

/** What one image looks like as a whole. */
export type ImageDescription = {
  /** Mean of each channel, 0 … 255. */
  readonly means: readonly number[];
  /** Logarithm of 1 + mean of all channels: light is a factor, so that half of it counts as much as twice. */
  readonly brightness: number;
  /** Logarithm of 1 + standard deviation of each channel. */
  readonly contrasts: readonly number[];
  /** Logarithm of 1 + mean difference of neighbouring pixels: how much fine detail there is. */
  readonly detail: number;
  /** Logarithms of the mean difference of neighbouring pixels to that of pixels 2 and 4 apart: low where it is out of focus. */
  readonly sharpness: readonly [number, number];
  /** `[8, 8, 3]` */
  readonly thumbnail: readonly number[];
  /** The same with the values of each channel sorted. */
  readonly sorted: readonly number[];
};

/** Describes an RGB image, as it was resized for the network. */
export function describeImage(image: Image): ImageDescription {
  const { width, height, channels, data } = image;
  const count = width * height;
  const means: number[] = [];
  const contrasts: number[] = [];
  for (let c = 0; c < 3; c++) {
    let sum = 0;
    let squares = 0;
    for (let i = c % channels; i < data.length; i += channels) {
      const value = data[i]!;
      sum += value;
      squares += value * value;
    }
    const mean = sum / count;
    means.push(mean);
    contrasts.push(Math.log1p(Math.sqrt(Math.max(squares / count - mean * mean, 0))));
  }
  const [next, second, fourth] = [1, 2, 4].map((distance) => meanDifference(image, distance)) as Three;
  const ratio = (a: number, b: number): number => Math.log((a + halfStep) / (b + halfStep));
  const small = resizeBilinear(image, thumbnailSide, thumbnailSide);
  const thumbnail = Array.from({ length: thumbnailSide ** 2 * 3 }, (_, i) => {
    return small.data[Math.floor(i / 3) * channels + ((i % 3) % channels)]!;
  });
  return {
    means,
    brightness: Math.log1p((means[0]! + means[1]! + means[2]!) / 3),
    contrasts,
    detail: Math.log1p(next),
    sharpness: [ratio(next, second), ratio(next, fourth)],
    thumbnail,
    sorted: sortChannels(thumbnail),
  };
}

type Three = [number, number, number];

/** Half a step of 8 bits, below which a difference is rounding. */
const halfStep = 0.5;

/** Mean difference of pixels so far apart, across and down. */
function meanDifference({ width, height, channels, data }: Image, distance: number): number {
  const row = width * channels;
  const [across, down] = [distance * channels, distance * row];
  let sum = 0;
  for (let start = 0; start < data.length; start += row) {
    for (let i = start; i < start + row - across; i++) sum += Math.abs(data[i]! - data[i + across]!);
  }
  for (let i = 0; i < data.length - down; i++) sum += Math.abs(data[i]! - data[i + down]!);
  const pairs = Math.max(width - distance, 0) * height + width * Math.max(height - distance, 0);
  return sum / Math.max(pairs * channels, 1);
}

/** The values of each channel rising, whatever their places. */
function sortChannels(values: readonly number[]): number[] {
  const channels = [0, 1, 2].map((c) => values.filter((_, i) => i % 3 === c).sort((a, b) => a - b));
  return values.map((_, i) => channels[i % 3]![Math.floor(i / 3)]!);
}
