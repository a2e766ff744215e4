/** Decodes the images of a data set, once. */
import { totalmem } from "node:os";
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
import { readImage } from "../images/read.ts";

/** Told after every image, with the image as it was read where it could be. */
export type LoadProgress = (done: number, count: number, image?: Image | undefined) => void;

/** Bytes that images may take: half of the machine's memory, or of what this process may have of it. */
function memoryLimit(): number {
  const allowed = process.constrainedMemory() || Infinity;
  return Math.min(allowed, totalmem()) / 2;
}

/**
 * Reads images and resizes them to squares.
 *
 * @throws DataError naming every image that cannot be read, one sentence each, or when all together do not fit in
 *   memory.
 */
export async function loadImages(
  files: readonly ImageFile[],
  size: number,
  progress?: LoadProgress,
): Promise<ImageSet> {
  if (imageSetBytes(files.length, size) > memoryLimit()) throw tooLarge(files.length, size);
  const set = emptyImageSet(files.length, size);
  const problems: string[] = [];
  for (const [i, { path }] of files.entries()) {
    const image = await orProblem(() => readImage(path), problems);
    if (image) putImage(set, i, image);
    progress?.(i + 1, files.length, image);
  }
  if (problems.length > 0) throw new DataError(problems.join("\n"));
  return set;
}

/**
 * Reads the ground truth of samples: for each `[size · size]` bytes, 1 where defective; all 0 for a good one, and where a
 * mask has no defect that is left at this size.
 *
 * @param resized what becomes of a mask; `publishedMask` for the paper's protocol.
 * @throws DataError naming every mask that is missing or cannot be read, one sentence each.
 */
export async function loadMasks(
  samples: readonly Sample[],
  size: number,
  resized: (mask: Image, width: number, height: number) => Uint8Array = toMask,
): Promise<Uint8Array[]> {
  const problems: string[] = [];
  const masks: Uint8Array[] = [];
  for (const { label, maskPath, id } of samples) {
    if (label === 1 && maskPath === undefined) problems.push(`${id} has no mask.`);
    const read = async (): Promise<Uint8Array> => resized(await readMask(maskPath!), size, size);
    const mask = label === 1 && maskPath !== undefined ? await orProblem(read, problems) : undefined;
    masks.push(mask ?? new Uint8Array(size * size));
  }
  if (problems.length > 0) throw new DataError(problems.join("\n"));
  return masks;
}

/** Reads a mask. @throws DataError also when it is a JPEG, whose compression leaves no background exactly 0. */
export async function readMask(path: string): Promise<Image> {
  if (!/\.jpe?g$/i.test(path)) return readImage(path);
  throw new DataError(`${path} is a JPEG, which does not keep a mask's values; save masks as PNG.`);
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
