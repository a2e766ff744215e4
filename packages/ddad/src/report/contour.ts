/** Lines around the regions of a mask. */
import type { Color, Image } from "../images/image.ts";

const white: Color = [255, 255, 255];
const black: Color = [0, 0, 0];

/**
 * Draws a white line around a mask onto an RGB image, with a black one around it, so that it is seen on every ground; what is inside
 * stays free.
 *
 * @param image which it changes
 * @param inside `[H · W]`, of the image's size, 1 in the mask
 * @param line width in pixels of the white line; the black one is half as wide
 */
export function drawContour(image: Image, inside: Uint8Array, line: number): void {
  const { width, height, data } = image;
  const inner = dilate(inside, width, height, line);
  const outer = dilate(inner, width, height, Math.ceil(line / 2));
  for (let i = 0; i < inside.length; i++) {
    if (inside[i]) continue;
    if (inner[i]) data.set(white, i * 3);
    else if (outer[i]) data.set(black, i * 3);
  }
}

/** The mask, larger by `radius` pixels on all sides. */
function dilate(mask: Uint8Array, width: number, height: number, radius: number): Uint8Array {
  const wide = new Uint8Array(mask.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!mask[y * width + x]) continue;
      wide.fill(1, y * width + Math.max(x - radius, 0), y * width + Math.min(x + radius, width - 1) + 1);
    }
  }
  const high = new Uint8Array(mask.length);
  for (let i = 0; i < mask.length; i++) {
    if (!wide[i]) continue;
    const y = Math.floor(i / width);
    for (let j = Math.max(y - radius, 0); j <= Math.min(y + radius, height - 1); j++) {
      high[j * width + (i % width)] = 1;
    }
  }
  return high;
}
