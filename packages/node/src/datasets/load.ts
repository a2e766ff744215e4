/** Decodes the images of a data set, once. */
import { totalmem } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import {
  DataError,
  emptyImageSet,
  type Image,
  type ImageFile,
  type ImageSet,
  imageSetBytes,
  putImage,
  type Sample,
  toMask,
  tooLarge,
} from "@ddad/ddad/internal";
import { type DecodeOptions, readImage } from "../images/read.ts";
import { isFolder, listImagesBelow } from "./listing.ts";

/** Told after every image, with the image as it was read where it could be. */
export type LoadProgress = (done: number, count: number, image?: Image | undefined) => void;

/** How `loadImages` reads files. */
export type LoadOptions = DecodeOptions & {
  readonly progress?: LoadProgress | undefined;
  /** Leaves out files that cannot be read, each with a notice (five, and how many more), instead of failing. Default false. */
  readonly skipUnreadable?: boolean | undefined;
};

/** Images, and the files that they were read from: all, or without those that cannot be read. */
export type LoadedImages<F extends ImageFile = ImageFile> = ImageSet & { readonly files: readonly F[] };

/** Bytes that images may take: half of the machine's memory, or of what this process may have of it. */
function memoryLimit(): number {
  const allowed = process.constrainedMemory() || Infinity;
  return Math.min(allowed, totalmem()) / 2;
}

/** Images that cannot be read, and what to do. */
export class UnreadableError extends DataError {
  /** A sentence for each. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    const cure = "Repair or remove these files, or skip them with --skip-unreadable (option skipUnreadable).";
    super([...firstOf(problems, 20, "files that cannot be read."), cure].join("\n"));
    this.problems = problems;
  }
}

/**
 * Reads images and resizes them to squares.
 *
 * @param files as `findImages` or `openDataset` finds them
 * @param size side of the squares, in pixels
 * @returns 8-bit RGB values `[count, size, size, 3]`, and the files that they are from
 * @throws UnreadableError (a DataError) naming the images that cannot be read, one sentence each; DataError when all together do not fit
 *   in memory.
 */
export async function loadImages<F extends ImageFile>(
  files: readonly F[],
  size: number,
  options: LoadOptions = {},
): Promise<LoadedImages<F>> {
  const { orientation, progress, skipUnreadable = false, onNotice } = options;
  if (imageSetBytes(files.length, size) > memoryLimit()) throw tooLarge(files.length, size);
  const set = emptyImageSet(files.length, size);
  const [problems, notices]: [string[], string[]] = [[], []];
  const read: F[] = [];
  const how = { orientation, onNotice: (message: string) => notices.push(message) };
  for (const [i, file] of files.entries()) {
    const image = await orProblem(() => readImage(file.path, how), problems);
    if (image) putImage(set, read.push(file) - 1, image);
    progress?.(i + 1, files.length, image);
    await setImmediate(); // or signals such as Ctrl-C would wait for the last image
  }
  if (problems.length > 0 && !skipUnreadable) throw new UnreadableError(problems);
  if (problems.length > 0 && read.length === 0)
    throw new DataError(`${firstOf(problems, 20, "files").join("\n")} None of the images can be read.`);
  const skipped = problems.map((problem) => `left out: ${problem}`);
  for (const message of firstOf(skipped, 5, "files that cannot be read are left out")) onNotice?.(message);
  for (const message of firstOf(notices, 5, "images have several frames")) onNotice?.(message);
  return {
    count: read.length,
    size,
    data: set.data.subarray(0, imageSetBytes(read.length, size)),
    files: read,
  };
}

/** The first sentences, and one that counts the others. */
function firstOf(sentences: readonly string[], count: number, what: string): string[] {
  const more = sentences.length - count;
  return [...sentences.slice(0, count), ...(more > 0 ? [`and ${more} more ${what}`] : [])];
}

/**
 * Reads the ground truth of samples.
 *
 * @param samples of a data set
 * @param size side of the masks, in pixels
 * @param options `resized` is what becomes of a mask, `publishedMask` for the paper's protocol; `orientation` turns masks by their own
 *   EXIF; `signal`, once aborted, throws its reason
 * @returns for each sample `[size · size]` bytes, 1 where defective; all 0 for a good one, and where a mask has no defect that is left
 *   at this size
 * @throws DataError naming every mask that is missing or cannot be read, one sentence each
 */
export async function loadMasks(
  samples: readonly Sample[],
  size: number,
  options: Pick<DecodeOptions, "orientation"> & {
    readonly resized?: (mask: Image, width: number, height: number) => Uint8Array;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<Uint8Array[]> {
  const { orientation, resized = toMask, signal } = options;
  const problems: string[] = [];
  const masks: Uint8Array[] = [];
  for (const { label, maskPath, id } of samples) {
    signal?.throwIfAborted();
    if (label === 1 && maskPath === undefined) problems.push(`${id} has no mask.`);
    const read = async (): Promise<Uint8Array> =>
      resized(await readMask(maskPath!, { orientation }), size, size);
    const mask = label === 1 && maskPath !== undefined ? await orProblem(read, problems) : undefined;
    masks.push(mask ?? new Uint8Array(size * size));
    await setImmediate();
  }
  if (problems.length > 0) throw new DataError(problems.join("\n"));
  return masks;
}

/**
 * Reads a mask: a file, or a folder of masks of one image, which are merged by taking the largest value of each pixel.
 *
 * @throws DataError also when it is a JPEG, whose compression leaves no background exactly 0, or the masks of a folder differ in size
 */
export async function readMask(path: string, options: DecodeOptions = {}): Promise<Image> {
  if (/\.jpe?g$/i.test(path))
    throw new DataError(`${path} is a JPEG, which does not keep a mask's values; save masks as PNG.`);
  if (!isFolder(path)) return readImage(path, options);
  let merged: Image | undefined;
  for (const name of listImagesBelow(path)) {
    const mask = await readMask(join(path, name), options);
    merged = merged === undefined ? oneChannel(mask) : largest(merged, oneChannel(mask), path);
  }
  if (merged === undefined) throw new DataError(`${path} holds no masks.`);
  return merged;
}

/** The largest of the channels of each pixel. */
function oneChannel(image: Image): Image {
  const { channels, data } = image;
  if (channels === 1) return image;
  const gray = new Uint8Array(data.length / channels);
  for (let i = 0; i < data.length; i++) {
    const at = Math.floor(i / channels);
    gray[at] = Math.max(gray[at]!, data[i]!);
  }
  return { ...image, channels: 1, data: gray };
}

function largest(a: Image, b: Image, folder: string): Image {
  if (a.width !== b.width || a.height !== b.height) {
    throw new DataError(
      `The masks in ${folder} are of different sizes, ${a.width} × ${a.height} and ${b.width} × ${b.height}; save them in that of their image.`,
    );
  }
  return { ...a, data: a.data.map((value, i) => Math.max(value, b.data[i]!)) };
}

async function orProblem<T>(read: () => Promise<T>, problems: string[]): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    problems.push(error.message);
    return undefined;
  }
}
