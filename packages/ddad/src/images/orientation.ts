/** Turning images by the EXIF orientation that their files hold. */
import { exifOrientation } from "./exif.ts";
import type { Image } from "./image.ts";

/**
 * How images are turned: by the EXIF orientation that a camera wrote into the file, as viewers show them, or not at all, as
 * they are stored.
 */
export const orientations = ["exif", "stored"] as const;

/** One of the two ways; see `orientations`. */
export type Orientation = (typeof orientations)[number];

/**
 * The image as a viewer shows it.
 *
 * @param orientation EXIF's number: 1 as stored, 2 mirrored left to right, 3 turned by 180°, 4 mirrored top to bottom, 5 transposed,
 *   6 turned by 90° clockwise, 7 transposed along the other diagonal, 8 turned by 90° counter-clockwise; any other leaves it as stored
 */
export function turnImage(image: Image, orientation: number): Image {
  const sides = swaps[orientation];
  if (sides === undefined) return image;
  const { width, height, channels, data } = image;
  const { transposed, right, down } = sides;
  const [turnedWidth, turnedHeight] = transposed ? [height, width] : [width, height];
  const turned = new Uint8Array(data.length);
  for (let y = 0, to = 0; y < turnedHeight; y++) {
    for (let x = 0; x < turnedWidth; x++) {
      const [column, row] = transposed ? [y, x] : [x, y];
      const from =
        ((down ? height - 1 - row : row) * width + (right ? width - 1 - column : column)) * channels;
      for (let c = 0; c < channels; c++) turned[to++] = data[from + c]!;
    }
  }
  return { width: turnedWidth, height: turnedHeight, channels, data: turned };
}

/** Whether the axes are swapped, and whether a stored row is read from the right and a stored column from below. */
const swaps: { readonly [orientation: number]: { transposed: boolean; right: boolean; down: boolean } } = {
  2: { transposed: false, right: true, down: false },
  3: { transposed: false, right: true, down: true },
  4: { transposed: false, right: false, down: true },
  5: { transposed: true, right: false, down: false },
  6: { transposed: true, right: false, down: true },
  7: { transposed: true, right: true, down: true },
  8: { transposed: true, right: true, down: false },
};

/** An image as the rule says, decoded from a file's bytes. */
export const oriented = (image: Image, bytes: Uint8Array, orientation: Orientation): Image =>
  orientation === "exif" ? turnImage(image, exifOrientation(bytes)) : image;
