/** Ground-truth masks: which pixels of an image are defective. */
import type { Image } from "./image.ts";
import { resizeNearest } from "./resize.ts";

/**
 * The mask at a size, one byte a pixel: 1 where the image has any non-zero channel, else 0.
 *
 * Resized by nearest neighbour, so that a border never becomes half defective: a mask with fractions has no answer
 * to the question which pixels count.
 */
export function toMask(image: Image, width: number, height: number): Uint8Array {
  const { data, channels } = resizeNearest(image, width, height);
  const mask = new Uint8Array(width * height);
  for (let i = 0; i < data.length; i++) if (data[i] !== 0) mask[Math.floor(i / channels)] = 1;
  return mask;
}

/** The mask as a gray image of 0 and 255. */
export function maskImage(mask: ArrayLike<number>, width: number, height: number): Image {
  const data = Uint8Array.from({ length: width * height }, (_, i) => (mask[i] ? 255 : 0));
  return { width, height, channels: 1, data };
}
