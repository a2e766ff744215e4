/** Control: how far an image is from the good image that is nearest by pixels. */
import { type ImageSet, imageAt } from "../../data/imageSet.ts";
import { type Image, toRgb } from "../../images/image.ts";
import { resizeBilinear } from "../../images/resize.ts";

/** Largest side at which images are searched; larger ones are reduced to it, with antialiasing. */
export const searchSize = 64;

/** Images reduced for the search, bytes one after the other. */
export type SearchIndex = { readonly count: number; readonly size: number; readonly data: Uint8Array };

/** The images of a set as `findNearest` searches them. @throws RangeError where the set is empty */
export function indexImages(set: ImageSet): SearchIndex {
  if (set.count === 0) throw new RangeError("indexImages: there is no image to search in.");
  const size = Math.min(set.size, searchSize);
  const length = size * size * 3;
  const data = new Uint8Array(set.count * length);
  for (let i = 0; i < set.count; i++) data.set(reduced(imageAt(set, i), size), i * length);
  return { count: set.count, size, data };
}

/** Place of the image with the smallest sum of squared differences; the first of equals. Sums are exact. */
export function findNearest({ count, size, data }: SearchIndex, image: Image): number {
  const wanted = reduced(image, size);
  const length = wanted.length;
  const row = size * 3;
  let best = Infinity;
  let nearest = 0;
  for (let candidate = 0; candidate < count; candidate++) {
    const offset = candidate * length;
    let sum = 0;
    // Row by row: most candidates are out long before their last row.
    for (let start = 0; start < length && sum < best; start += row) {
      for (let i = start; i < start + row; i++) {
        const difference = wanted[i]! - data[offset + i]!;
        sum += difference * difference;
      }
    }
    if (sum < best) [best, nearest] = [sum, candidate];
  }
  return nearest;
}

const reduced = (image: Image, size: number): Uint8Array =>
  toRgb(image.width === size && image.height === size ? image : resizeBilinear(image, size, size)).data;

/** |a − b| of pixels in [−1, 1], mean over channels, of two RGB images of one size. @returns `[H · W]` */
export function imageDifference(a: Pick<Image, "data">, b: Pick<Image, "data">): Float32Array {
  return Float32Array.from({ length: a.data.length / 3 }, (_, pixel) => {
    let sum = 0;
    for (let i = 3 * pixel; i < 3 * pixel + 3; i++) sum += Math.abs(a.data[i]! - b.data[i]!);
    return sum / (3 * 127.5);
  });
}
