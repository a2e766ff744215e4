/** Ground truth as the published code of DDAD measures with it. */
import type { Image } from "../images/image.ts";
import { maskImage } from "../images/mask.ts";
import { resizeBilinear } from "../images/resize.ts";

/**
 * The mask at a size, 0 … 255, resized like an image: with antialiasing, so that pixels at the border of a defect
 * are defective in part, and a thin defect may be so everywhere. Every non-zero value of the file counts as 255.
 *
 * Of one-bit files the published code takes the nearest pixel instead; the format is not known any more here.
 */
export function publishedMask(image: Image, width: number, height: number): Uint8Array {
  const { data, channels } = image;
  const defective = new Uint8Array(image.width * image.height);
  for (let i = 0; i < data.length; i++) if (data[i] !== 0) defective[Math.floor(i / channels)] = 1;
  return resizeBilinear(maskImage(defective, image.width, image.height), width, height).data;
}
