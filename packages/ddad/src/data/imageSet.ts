/** Images decoded and resized once, kept as bytes: 256² takes 192 KiB an image, a quarter of float32. */
import { DataError } from "../errors.ts";
import { bytesToPixels, type Image, toRgb } from "../images/image.ts";
import { resizeBilinear } from "../images/resize.ts";

/** RGB images of one size in one array. */
export type ImageSet = {
  readonly count: number;
  /** Side of the square images. */
  readonly size: number;
  /** `[count, size, size, 3]` bytes. */
  readonly data: Uint8Array;
};

/** Images by their ids, on which the noise of each depends, in training and, where the protocol draws any, in detection. */
export type NamedImages = { readonly images: ImageSet; readonly ids: readonly string[] };

/** One image to inspect. */
export type NamedPixels = {
  readonly id: string;
  /** `[size, size, 3]` in [−1, 1], as `toPixels` gives them. */
  readonly pixels: Float32Array;
};

/** Images to inspect: all of them in memory, or one after the other as they come. */
export type ImageSource = NamedImages | Iterable<NamedPixels> | AsyncIterable<NamedPixels>;

/** The images of a source, one after the other. */
export async function* eachImage(source: ImageSource): AsyncGenerator<NamedPixels> {
  if (!("images" in source)) {
    yield* source;
    return;
  }
  const { images, ids } = source;
  for (const [index, id] of ids.entries()) yield { id, pixels: gatherPixels(images, [index]) };
}

/** The side of a square image. @throws RangeError where the pixels are none. */
export function sideOf({ id, pixels }: NamedPixels): number {
  const size = Math.sqrt(pixels.length / 3);
  if (Number.isInteger(size) && size > 0) return size;
  throw new RangeError(
    `inspect: ${id} has ${pixels.length} values, but a square RGB image has size · size · 3; resize it to data.imageSize.`,
  );
}

/** Bytes that a set takes. */
export const imageSetBytes = (count: number, size: number): number => count * size * size * 3;

/** A set whose images are yet to be put in. @throws DataError when there is no memory for it. */
export function emptyImageSet(count: number, size: number): ImageSet {
  const bytes = imageSetBytes(count, size);
  try {
    return { count, size, data: new Uint8Array(bytes) };
  } catch (cause) {
    throw tooLarge(count, size, cause);
  }
}

/** What to say where a set does not fit in memory. */
export function tooLarge(count: number, size: number, cause?: unknown): DataError {
  const gibibytes = imageSetBytes(count, size) / 2 ** 30;
  const amount = gibibytes < 10 ? gibibytes.toPrecision(2) : gibibytes.toFixed(0);
  return new DataError(
    `${count} images of ${size} × ${size} need ${amount} GiB of memory, more than there is room for; ` +
      `lower data.imageSize (half of it needs a quarter), or take fewer images.`,
    { cause },
  );
}

/** Resizes an image to the square at a place of the set. */
export function putImage({ size, data }: ImageSet, index: number, image: Image): void {
  // Resized before gray is repeated: the same bytes for a third of the work.
  data.set(toRgb(resizeBilinear(image, size, size)).data, imageSetBytes(index, size));
}

/**
 * Resizes images to squares of one size, with three channels.
 *
 * @param count how many there are; the images themselves may come one by one.
 * @throws DataError when there is no memory for them.
 */
export function stackImages(images: Iterable<Image>, count: number, size: number): ImageSet {
  const set = emptyImageSet(count, size);
  let index = 0;
  for (const image of images) putImage(set, index++, image);
  if (index !== count) {
    throw new RangeError(`stackImages: ${count} images were announced, but ${index} came.`);
  }
  return set;
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
