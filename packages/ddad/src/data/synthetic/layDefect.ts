/** Lays a synthetic defect on a good image and finds out which pixels show it. */
import { DataError } from "../../errors.ts";
import type { Image } from "../../images/image.ts";
import { findRegions } from "../../metrics/regions.ts";
import type { Random } from "../procedural/noise.ts";
import { contentOf } from "./content.ts";
import { cutPaste } from "./cutPaste.ts";
import { perlin } from "./perlin.ts";
import { scar } from "./scar.ts";
import type { LayKind } from "./shape.ts";

const layers = { cutPaste, scar, perlin } as const satisfies Record<string, LayKind>;

/**
 * What is laid on good images in place of real defects.
 *
 * - `cutPaste`: a rectangle of the image at another place of it.
 * - `scar`: a thin strip of the image, turned, at another place of it.
 * - `perlin`: a patch with a ragged border and the texture of another good image.
 */
export type SyntheticKind = keyof typeof layers;

/** The kinds, in the order in which they are laid. */
export const syntheticKinds = Object.keys(layers) as SyntheticKind[];

/** An image with a defect on it. */
export type SyntheticDefect = {
  /** `[size, size, 3]` bytes. */
  readonly data: Uint8Array;
  /** `[size · size]`: 1 where the defect shows, else 0. */
  readonly mask: Uint8Array;
  /** Draws it took until the defect could be seen. */
  readonly tries: number;
};

/** A pixel shows a defect when one of its three bytes changed by more than this. */
export const visibleChange = 8;

/** A defect counts when it shows in so many pixels, and in this fraction of its shape. */
export const leastVisiblePixels = 4;
export const leastVisibleFraction = 0.5;

/** A region of a defect stays when it has `leastVisiblePixels` and this fraction of the pixels of the largest one. */
const leastRegion = 0.1;

/** Draws until a defect can be seen, at most. */
export const mostTries = 50;

/** The smallest side that defects are laid on. */
const leastSize = 8;

/**
 * Lays one defect.
 *
 * The mask is exact: outside of it every byte is as it was; inside, every pixel changed by more than `visibleChange`. What
 * changed less, and tiny regions beside the defect, are put back. Where too little of a draw can be seen the next is tried.
 *
 * @param image `[size, size, 3]`, of at least 8 × 8
 * @param random where all draws come from
 * @param textures other good images of the same size, for `perlin`; the first try takes the first, the next the second, in turn.
 *   Without any the image itself is the texture, flipped, turned and shifted.
 * @throws RangeError when image and textures are not square RGB images of one size, or too small.
 * @throws DataError when no draw can be seen.
 */
export function layDefect(
  image: Image,
  kind: SyntheticKind,
  random: Random,
  textures: readonly Image[] = [],
): SyntheticDefect {
  return tryDefect(image, kind, random, textures) ?? throwInvisible("layDefect", kind);
}

/** The same for those who have better words where no draw can be seen: undefined then. */
export function tryDefect(
  image: Image,
  kind: SyntheticKind,
  random: Random,
  textures: readonly Image[],
): SyntheticDefect | undefined {
  for (const each of [image, ...textures]) checkImage(each, image.width);
  const { width: size, data: pixels } = image;
  const content = contentOf(image);
  for (let tries = 1; tries <= mostTries; tries++) {
    const texture = textures[(tries - 1) % textures.length] ?? image;
    const laid = layers[kind]({ size, pixels, content, texture }, random);
    const mask = keepVisible(pixels, laid.data, size);
    const visible = mask.reduce((sum, value) => sum + value, 0);
    if (visible >= Math.max(leastVisiblePixels, leastVisibleFraction * laid.area)) {
      return { data: laid.data, mask, tries };
    }
  }
  return undefined;
}

/** Says that no draw can be seen. @param where function, and image where its name is known. */
export function throwInvisible(where: string, kind: SyntheticKind): never {
  throw new DataError(
    `${where}: ${kind} must change at least ${leastVisiblePixels} pixels, and half of its shape, by more than ${visibleChange} of 255, ` +
      `but none of ${mostTries} draws did; the image may have one colour only: leave the image or the kind out.`,
  );
}

/** The pixels that show a defect, in regions that are large enough; all others of `data` are put back. */
function keepVisible(before: Uint8Array, data: Uint8Array, size: number): Uint8Array {
  const changed = new Uint8Array(size * size);
  for (let k = 0; k < data.length; k++) {
    if (Math.abs(data[k]! - before[k]!) > visibleChange) changed[Math.floor(k / 3)] = 1;
  }
  const { labels, sizes } = findRegions(changed, size, size);
  const largest = sizes.reduce((most, region) => Math.max(most, region), 0);
  const least = Math.max(leastVisiblePixels, leastRegion * largest);
  const mask = changed.map((_, pixel) => Number(labels[pixel]! > 0 && sizes[labels[pixel]! - 1]! >= least));
  for (let k = 0; k < data.length; k++) if (!mask[Math.floor(k / 3)]) data[k] = before[k]!;
  return mask;
}

function checkImage({ width, height, channels }: Image, size: number): void {
  if (width !== size || height !== size || channels !== 3) {
    throw new RangeError(
      `layDefect: images must be square, of one size, with 3 channels, but one is ${width} × ${height} with ${channels} ` +
        `where ${size} × ${size} with 3 is expected; resize them with stackImages.`,
    );
  }
  if (size < leastSize) {
    throw new RangeError(
      `layDefect: an image needs ${leastSize} × ${leastSize} pixels to show a defect, but has ${size} × ${size}; raise data.imageSize.`,
    );
  }
}
