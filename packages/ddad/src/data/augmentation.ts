/** Random changes of training images that leave a good image good, so that few images stand for more. */
import { hashText, uniform } from "./random.ts";

/**
 * What may be done to an image, each drawn by itself.
 *
 * - `horizontalFlip`, `verticalFlip`: mirrored left to right, top to bottom, every other time.
 * - `quarterTurn`: turned by 0, 90, 180 or 270 degrees.
 * - `brightness`: contrast times 0.9 … 1.1, brightness up to 5 % of the range up or down, clipped to the range.
 */
export const augmentations = ["horizontalFlip", "verticalFlip", "quarterTurn", "brightness"] as const;

/** One of them. */
export type Augmentation = (typeof augmentations)[number];

/** Which image is changed: the draws depend on these alone, so that a resumed training sees the same images. */
export type AugmentationDraw = {
  readonly seed: number;
  /** Hash of the image's id. */
  readonly image: number;
  /** How many images the training has seen before. */
  readonly position: number;
};

/**
 * Changes one image in place.
 *
 * @param pixels `[size, size, 3]` in [−1, 1]
 * @param kinds what may be done to it; in which order they are given makes no difference
 */
export function augment(
  pixels: Float32Array,
  kinds: readonly Augmentation[],
  { seed, image, position }: AugmentationDraw,
): void {
  const size = Math.sqrt(pixels.length / 3);
  const draw = (what: string): number => uniform(seed, hashText(what), image, position);
  if (kinds.includes("horizontalFlip") && draw("horizontalFlip") < 0.5) {
    move(pixels, size, (y, x) => [y, size - 1 - x]);
  }
  if (kinds.includes("verticalFlip") && draw("verticalFlip") < 0.5) {
    move(pixels, size, (y, x) => [size - 1 - y, x]);
  }
  if (kinds.includes("quarterTurn")) {
    const turns = Math.floor(4 * draw("quarterTurn"));
    for (let turn = 0; turn < turns; turn++) move(pixels, size, (y, x) => [x, size - 1 - y]);
  }
  if (kinds.includes("brightness")) {
    const contrast = 0.9 + 0.2 * draw("contrast");
    const brightness = 0.1 * (2 * draw("brightness") - 1);
    for (const [k, value] of pixels.entries()) {
      pixels[k] = Math.min(1, Math.max(-1, contrast * value + brightness));
    }
  }
}

/** Moves every pixel. @param from where the pixel that comes to row y, column x was. */
function move(pixels: Float32Array, size: number, from: (y: number, x: number) => [number, number]): void {
  const before = pixels.slice();
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const [fromY, fromX] = from(y, x);
      const source = 3 * (fromY * size + fromX);
      pixels.set(before.subarray(source, source + 3), 3 * (y * size + x));
    }
  }
}
