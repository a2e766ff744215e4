/** Control: how far an image is from the mean of the good images, position by position. */
import type { ImageSet } from "../../data/imageSet.ts";
import type { Image } from "../../images/image.ts";

/** Mean and standard deviation of bytes at every position, `[size · size · 3]`. */
export type MeanImage = { readonly mean: Float64Array; readonly std: Float64Array };

/** Mean and population standard deviation; the sums are of whole numbers and exact. @throws RangeError where the set is empty */
export function meanOfImages({ count, size, data }: ImageSet): MeanImage {
  if (count === 0) throw new RangeError("meanOfImages: there is no image to take the mean of.");
  const length = size * size * 3;
  const sums = new Float64Array(length);
  const squares = new Float64Array(length);
  for (let image = 0; image < count; image++) {
    const offset = image * length;
    for (let i = 0; i < length; i++) {
      const byte = data[offset + i]!;
      sums[i]! += byte;
      squares[i]! += byte * byte;
    }
  }
  const mean = sums.map((sum) => sum / count);
  // n Σb² − (Σb)² is a whole number: no cancellation, as long as it is below 2^53.
  const std = squares.map((square, i) => Math.sqrt(count * square - sums[i]! ** 2) / count);
  return { mean, std };
}

/** Added to the standard deviation, in bytes: 0.1 of pixels in [−1, 1], so that positions that hardly ever change do not outweigh all others. */
export const stdFloor = 12.75;

/** |x − mean| / (std + `stdFloor`) in bytes, mean over channels. @returns `[size · size]` */
export function meanImageDistance({ mean, std }: MeanImage, { data }: Pick<Image, "data">): Float32Array {
  return Float32Array.from({ length: data.length / 3 }, (_, pixel) => {
    let sum = 0;
    for (let i = 3 * pixel; i < 3 * pixel + 3; i++)
      sum += Math.abs(data[i]! - mean[i]!) / (std[i]! + stdFloor);
    return sum / 3;
  });
}
