/** Pictures decoded and resized once, kept as bytes: 256² takes 192 KiB an image, a quarter of float32. */
import { bytesToPixels, type Image, toRgb } from "../images/image.ts";
import { resizeBilinear } from "../images/resize.ts";

export type ImageSet = {
  readonly count: number;
  /** Side of the square images. */
  readonly size: number;
  /** `[count, size, size, 3]` bytes. */
  readonly data: Uint8Array;
};

/**
 * Resizes pictures to squares of one size, with three channels.
 *
 * @param count how many there are; the pictures themselves may come one by one.
 */
export function stackImages(images: Iterable<Image>, count: number, size: number): ImageSet {
  const stride = size * size * 3;
  const data = new Uint8Array(count * stride);
  let at = 0;
  for (const image of images) {
    // Resized before gray is repeated: the same bytes for a third of the work.
    data.set(toRgb(resizeBilinear(image, size, size)).data, at);
    at += stride;
  }
  if (at !== data.length) {
    throw new RangeError(`stackImages: ${count} pictures were announced, but ${at / stride} came.`);
  }
  return { count, size, data };
}

/** One image of the set; shares its bytes. */
export function imageAt({ count, size, data }: ImageSet, index: number): Image {
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new RangeError(`imageAt: there is no image ${index} in a set of ${count}.`);
  }
  const stride = size * size * 3;
  return {
    width: size,
    height: size,
    channels: 3,
    data: data.subarray(index * stride, (index + 1) * stride),
  };
}

/** Images by their indices as the network sees them: `[indices.length, size, size, 3]` in [−1, 1]. */
export function gatherPixels(set: ImageSet, indices: readonly number[]): Float32Array {
  const stride = set.size * set.size * 3;
  const pixels = new Float32Array(indices.length * stride);
  indices.forEach((index, i) => {
    bytesToPixels(imageAt(set, index).data, pixels, i * stride);
  });
  return pixels;
}
