/** Decodes the pictures of a data set, once. */
import { DataError } from "../errors.ts";
import type { Image } from "../images/image.ts";
import { toMask } from "../images/mask.ts";
import { readImage } from "../images/png.ts";
import { type ImageSet, stackImages } from "./imageSet.ts";
import type { ImageFile, Sample } from "./sample.ts";

/** Told after every picture. */
export type LoadProgress = (done: number, count: number) => void;

/**
 * Reads pictures and resizes them to squares.
 *
 * @throws DataError naming every picture that cannot be read, one sentence each.
 */
export function loadImages(files: readonly ImageFile[], size: number, progress?: LoadProgress): ImageSet {
  const problems: string[] = [];
  function* images(): Generator<Image> {
    for (const [i, { path }] of files.entries()) {
      const image = orProblem(() => readImage(path), problems);
      yield image ?? { width: 1, height: 1, channels: 1, data: new Uint8Array(1) };
      progress?.(i + 1, files.length);
    }
  }
  const set = stackImages(images(), files.length, size);
  if (problems.length > 0) throw new DataError(problems.join("\n"));
  return set;
}

/**
 * Reads the ground truth of samples: for each `[size · size]` bytes, 1 where defective; all 0 for a good one.
 *
 * @throws DataError naming every mask that is missing or cannot be read, one sentence each.
 */
export function loadMasks(samples: readonly Sample[], size: number): Uint8Array[] {
  const problems: string[] = [];
  const masks = samples.map(({ label, maskPath, id }) => {
    if (label === 0) return new Uint8Array(size * size);
    if (maskPath === undefined) {
      problems.push(`${id} has no mask.`);
      return new Uint8Array(0);
    }
    return orProblem(() => toMask(readImage(maskPath), size, size), problems) ?? new Uint8Array(0);
  });
  if (problems.length > 0) throw new DataError(problems.join("\n"));
  return masks;
}

function orProblem<T>(read: () => T, problems: string[]): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    problems.push(error.message);
    return undefined;
  }
}
