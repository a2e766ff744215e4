/** Image files for a detector, decoded one ahead of it. */
import { statSync } from "node:fs";
import {
  DataError,
  describeImage,
  type Image,
  type ImageDescription,
  type ImageFile,
  type NamedPixels,
  resizeBilinear,
  toPixels,
} from "@ddad/ddad/internal";
import { type DecodeOptions, readImage } from "../images/read.ts";

/** An image that was read, but for its pixels. */
export interface ReadImage extends ImageFile {
  /** As it was given, at most `largest` pixels wide and high; undefined where none is wanted. */
  readonly image: Image | undefined;
  /** Of the image as it was given. */
  readonly width: number;
  readonly height: number;
  readonly description: ImageDescription;
}

/** An image that could not be read, and why. */
export interface UnreadImage extends ImageFile {
  readonly error: string;
}

/** How images are read. */
export interface ReadAheadOptions extends DecodeOptions {
  /** Side of the squares for the network. */
  readonly size: number;
  /** Longest side of the images that are kept; 0 keeps none. */
  readonly largest: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads images for a detector.
 *
 * @returns `source` for the detector, without those that could not be read; `next` gives all of them in the order of the files,
 *   each once it was read, and undefined where none is waiting.
 */
export function readAhead(
  files: Iterable<ImageFile> | AsyncIterable<ImageFile>,
  options: ReadAheadOptions,
): { readonly source: AsyncIterable<NamedPixels>; readonly next: () => ReadImage | UnreadImage | undefined } {
  const waiting: (ReadImage | UnreadImage)[] = [];
  async function* source(): AsyncGenerator<NamedPixels> {
    let ahead: Promise<Outcome> | undefined;
    const handOver = async function* (outcome: Outcome): AsyncGenerator<NamedPixels> {
      options.signal?.throwIfAborted();
      waiting.push(outcome.read);
      if (outcome.pixels) yield { id: outcome.read.id, pixels: outcome.pixels };
    };
    for await (const file of files) {
      const following = readOne(file, options);
      if (ahead) yield* handOver(await ahead);
      ahead = following;
    }
    if (ahead) yield* handOver(await ahead);
  }
  return { source: source(), next: () => waiting.shift() };
}

type Outcome = { readonly read: ReadImage | UnreadImage; readonly pixels?: Float32Array };

/** Never rejects: whatever is wrong with one file is its own error. */
async function readOne(file: ImageFile, options: ReadAheadOptions): Promise<Outcome> {
  const { size, largest } = options;
  try {
    // A pipe or a device would never end.
    if (statSync(file.path, { throwIfNoEntry: false })?.isFile() === false) {
      throw new DataError(`${file.path} is not a regular file.`);
    }
    const image = await readImage(file.path, options);
    const square = resizeBilinear(image, size, size);
    const { width, height } = image;
    const read = {
      ...file,
      image: bounded(image, largest),
      width,
      height,
      description: describeImage(square),
    };
    return { read, pixels: toPixels(square) };
  } catch (error) {
    return { read: { ...file, error: error instanceof Error ? error.message : String(error) } };
  }
}

function bounded(image: Image, largest: number): Image | undefined {
  if (largest === 0) return undefined;
  const factor = Math.min(1, largest / Math.max(image.width, image.height));
  if (factor === 1) return image;
  const side = (length: number): number => Math.max(Math.round(length * factor), 1);
  return resizeBilinear(image, side(image.width), side(image.height));
}
