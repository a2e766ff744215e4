/** Where an image shows something: defects are laid there, as nothing can be seen of ground on ground. */
import type { Image } from "../../images/image.ts";
import type { Random } from "../procedural/noise.ts";

/**
 * Running sums `[size · size]` of how much the image shows at every pixel, so that a place is one look-up.
 *
 * A pixel's weight is g / (g + ḡ): g is the mean squared difference of neighbouring pixels in a window round it, a sixteenth of the
 * side wide, ḡ the mean of g over the image. So flat ground and shading count little beside an object, and the sharpest edge not
 * much more than a texture. Where nothing differs every pixel counts the same.
 */
export type Content = Float64Array;

/** @param image `[size, size, 3]` */
export function contentOf({ width: size, data }: Image): Content {
  const radius = Math.max(1, Math.round(size / 32));
  const sums = differenceSums(data, size);
  const differences = new Float64Array(size * size);
  let total = 0;
  for (let y = 0; y < size; y++) {
    const top = Math.max(y - radius, 0) * (size + 1);
    const bottom = Math.min(y + radius + 1, size) * (size + 1);
    for (let x = 0; x < size; x++) {
      const left = Math.max(x - radius, 0);
      const right = Math.min(x + radius + 1, size);
      const sum = sums[bottom + right]! - sums[top + right]! - sums[bottom + left]! + sums[top + left]!;
      const difference = sum / (((bottom - top) / (size + 1)) * (right - left));
      differences[y * size + x] = difference;
      total += difference;
    }
  }
  const mean = total / differences.length;
  let sum = 0;
  return differences.map((difference) => {
    sum += mean > 0 ? difference / (difference + mean) : 1;
    return sum;
  });
}

/** A pixel, the likelier the more the image shows there: column and row. */
export function drawPlace(content: Content, size: number, random: Random): readonly [x: number, y: number] {
  const target = random() * content[content.length - 1]!;
  let [low, high] = [0, content.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (content[middle]! > target) high = middle;
    else low = middle + 1;
  }
  return [low % size, Math.floor(low / size)];
}

/** Squared differences of brightness to the right and to the lower neighbour, summed over all pixels above and left. */
function differenceSums(data: Uint8Array, size: number): Float64Array {
  const stride = size + 1;
  const sums = new Float64Array(stride * stride);
  const brightness = Float64Array.from(
    { length: size * size },
    (_, i) => data[3 * i]! + data[3 * i + 1]! + data[3 * i + 2]!,
  );
  for (let y = 0; y < size; y++) {
    let row = 0;
    for (let x = 0; x < size; x++) {
      const i = y * size + x;
      const right = x + 1 < size ? brightness[i + 1]! - brightness[i]! : 0;
      const lower = y + 1 < size ? brightness[i + size]! - brightness[i]! : 0;
      row += right * right + lower * lower;
      sums[(y + 1) * stride + x + 1] = sums[y * stride + x + 1]! + row;
    }
  }
  return sums;
}
