/**
 * Resizing with the very arithmetic of Pillow's `resize` (and so of torchvision's `Resize` on images), because a
 * network sees the difference: an antialiased and a plain bilinear reduction of 1024 to 256 are different images.
 */
import type { Image } from "./image.ts";

/** Weights are fixed-point with 22 fractional bits, so that 255 times their sum still fits 32 bits. */
const precision = 22;
const half = 1 << (precision - 1);

/** For every output position: the first input position it reads, how many, and their weights. */
type Filter = { first: Int32Array; count: Int32Array; weights: Int32Array; width: number };

/**
 * A triangle as wide as two input pixels, or two output pixels where the image shrinks (that is the antialiasing),
 * cut at the border and normalised.
 */
function triangleFilter(inputSize: number, outputSize: number): Filter {
  const scale = inputSize / outputSize;
  const support = Math.max(scale, 1);
  const width = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outputSize);
  const count = new Int32Array(outputSize);
  const weights = new Int32Array(outputSize * width);
  const triangle = new Float64Array(width);
  for (let i = 0; i < outputSize; i++) {
    const center = (i + 0.5) * scale;
    const start = Math.max(Math.trunc(center - support + 0.5), 0);
    const end = Math.min(Math.trunc(center + support + 0.5), inputSize);
    let sum = 0;
    for (let k = 0; k < end - start; k++) {
      // Multiplied by the reciprocal, not divided: the last bit decides some roundings.
      triangle[k] = Math.max(1 - Math.abs((k + start - center + 0.5) * (1 / support)), 0);
      sum += triangle[k]!;
    }
    for (let k = 0; k < end - start; k++) {
      const weight = triangle[k]! * (1 / sum) * (1 << precision);
      weights[i * width + k] = Math.trunc(weight + 0.5);
    }
    first[i] = start;
    count[i] = end - start;
  }
  return { first, count, weights, width };
}

/** Resamples `outer` lines of positions `step` bytes apart; both passes of the resize are this with other strides. */
function resample(
  filter: Filter,
  source: Uint8Array,
  target: Uint8Array,
  lines: { count: number; sourceStride: number; targetStride: number },
  step: number,
): void {
  const { first, count, weights, width } = filter;
  for (let line = 0; line < lines.count; line++) {
    const from = line * lines.sourceStride;
    const to = line * lines.targetStride;
    for (let i = 0; i < first.length; i++) {
      for (let inner = 0; inner < step; inner++) {
        let sum = half;
        let at = from + first[i]! * step + inner;
        for (let k = i * width; k < i * width + count[i]!; k++, at += step) sum += source[at]! * weights[k]!;
        target[to + i * step + inner] = sum >> precision;
      }
    }
  }
}

function checkSize(name: string, width: number, height: number): void {
  for (const size of [width, height]) {
    if (!Number.isInteger(size) || size < 1) {
      throw new RangeError(
        `${name}: a size must be a whole number of at least 1, but ${width}×${height} was asked for.`,
      );
    }
  }
}

/**
 * The image at another size, bit for bit as Pillow's antialiased bilinear resize makes it: horizontally first,
 * rounded to bytes, then vertically. The aspect ratio is not kept.
 */
export function resizeBilinear(image: Image, width: number, height: number): Image {
  checkSize("resizeBilinear", width, height);
  const { channels } = image;
  let { data } = image;
  if (width !== image.width) {
    const wide = new Uint8Array(width * image.height * channels);
    const lines = {
      count: image.height,
      sourceStride: image.width * channels,
      targetStride: width * channels,
    };
    resample(triangleFilter(image.width, width), data, wide, lines, channels);
    data = wide;
  }
  if (height !== image.height) {
    const high = new Uint8Array(width * height * channels);
    const lines = { count: 1, sourceStride: 0, targetStride: 0 };
    resample(triangleFilter(image.height, height), data, high, lines, width * channels);
    data = high;
  }
  return { width, height, channels, data };
}

/** The image at another size, each pixel a copy of the nearest one: no new values appear, as masks need. */
export function resizeNearest(image: Image, width: number, height: number): Image {
  checkSize("resizeNearest", width, height);
  const { channels } = image;
  const data = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * image.height) / height) * image.width;
    for (let x = 0; x < width; x++) {
      const from = (row + Math.floor(((x + 0.5) * image.width) / width)) * channels;
      const to = (y * width + x) * channels;
      for (let c = 0; c < channels; c++) data[to + c] = image.data[from + c]!;
    }
  }
  return { width, height, channels, data };
}
