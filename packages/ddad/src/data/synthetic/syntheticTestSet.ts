/**
 * A test set made of good images alone: each as it is, and again with synthetic defects. Settings can be chosen by it where no
 * defective image is known.
 */
import type { LabelledImage, TestSet } from "../../evaluation/evaluation.ts";
import type { Image } from "../../images/image.ts";
import { emptyImageSet, type ImageSet, imageAt, type NamedImages } from "../imageSet.ts";
import { createRandom } from "../procedural/noise.ts";
import { hashCounters, hashText } from "../random.ts";
import { type SyntheticKind, syntheticKinds, throwInvisible, tryDefect } from "./layDefect.ts";

/** Which defects are laid. */
export type SyntheticOptions = {
  readonly seed: number;
  /** Which kinds; all of them without it. */
  readonly kinds?: readonly SyntheticKind[];
  /** Defective images made of each good one; without it one of each kind. The kinds take turns. */
  readonly perImage?: number;
};

/** What `evaluateDetection` takes: good images, then defective ones, with masks of 0 and 1. */
export type SyntheticTestSet = Pick<TestSet, "dataset" | "category" | "samples" | "images"> & {
  /** `[size · size]` of every image; all 0 for good ones. */
  readonly masks: readonly Uint8Array[];
};

/** Draws that must not depend on each other. */
const draws = { kinds: 1, texture: 2, defect: 3 };

/** Textures that a defect may try. */
const textureCount = 8;

/**
 * Lays synthetic defects on good images.
 *
 * A defect depends on the seed, its image and the image's id, the kind and its number, and for `perlin` on the texture: the images
 * of the set whose ids, hashed with those, come first. So the order of the images makes no difference, and further images change
 * only those patches whose texture they become.
 *
 * @param images good images, best held out from training
 * @returns the good images with label 0, kind "good" and their ids, then the defective ones with label 1, their kind, and ids as
 *   `screw/7.png#scar-0`
 * @throws RangeError when ids and images do not match, no kind is named, or `perImage` is not a whole number.
 * @throws DataError when an image cannot show a defect, or there is no memory.
 */
export function syntheticTestSet({ images, ids }: NamedImages, options: SyntheticOptions): SyntheticTestSet {
  const { seed, kinds = syntheticKinds, perImage = kinds.length } = options;
  checkOptions(images, ids, kinds, perImage);
  const { count, size } = images;
  const set = emptyImageSet(count * (1 + perImage), size);
  set.data.set(images.data.subarray(0, count * size * size * 3));
  const samples: LabelledImage[] = ids.map((id) => ({ id, label: 0, kind: "good" }));
  const masks: Uint8Array[] = ids.map(() => new Uint8Array(size * size));
  const hashes = ids.map(hashText);
  for (const [index, id] of ids.entries()) {
    for (const { kind, number } of kindsOf(hashes[index]!, kinds, perImage, seed)) {
      const drawing = [seed, draws.defect, hashes[index]!, hashText(kind), number] as const;
      const textures = kind === "perlin" ? texturesOf(images, hashes, index, number, seed) : [];
      const { data, mask } =
        tryDefect(imageAt(images, index), kind, createRandom(...drawing), textures) ??
        throwInvisible(`syntheticTestSet: ${id}`, kind);
      set.data.set(data, samples.length * data.length);
      samples.push({ id: `${id}#${kind}-${number}`, label: 1, kind });
      masks.push(mask);
    }
  }
  return { dataset: "synthetic defects", category: kinds.join(", "), samples, images: set, masks };
}

/** Which defects an image gets. The kinds take turns, from one that depends on the image, so that few defects an image show all kinds. */
function* kindsOf(
  image: number,
  kinds: readonly SyntheticKind[],
  perImage: number,
  seed: number,
): Generator<{ readonly kind: SyntheticKind; readonly number: number }> {
  const first = hashCounters(seed, draws.kinds, image) % kinds.length;
  for (const [place, kind] of kinds.entries()) {
    const turn = (place - first + kinds.length) % kinds.length;
    for (let number = 0; number * kinds.length + turn < perImage; number++) yield { kind, number };
  }
}

/** The images whose hash with a defect is lowest: the same ones in whichever order they are; never the defect's own image. */
function texturesOf(
  images: ImageSet,
  hashes: readonly number[],
  index: number,
  number: number,
  seed: number,
): Image[] {
  return hashes
    .map((hash, other) => ({
      other,
      rank: hashCounters(seed, draws.texture, hashes[index]!, number, hash),
    }))
    .filter(({ other }) => other !== index)
    .sort((a, b) => a.rank - b.rank)
    .slice(0, textureCount)
    .map(({ other }) => imageAt(images, other));
}

function checkOptions(
  images: ImageSet,
  ids: readonly string[],
  kinds: readonly SyntheticKind[],
  perImage: number,
): void {
  if (ids.length !== images.count) {
    throw new RangeError(`syntheticTestSet: ${images.count} images, but ${ids.length} ids.`);
  }
  const unknown = kinds.find((kind, i) => !syntheticKinds.includes(kind) || kinds.indexOf(kind) !== i);
  if (unknown !== undefined || kinds.length === 0) {
    throw new RangeError(
      `syntheticTestSet: kinds must be some of ${syntheticKinds.join(", ")}, each once, but is [${kinds.join(", ")}].`,
    );
  }
  if (!Number.isInteger(perImage) || perImage < 1) {
    throw new RangeError(
      `syntheticTestSet: perImage must be a whole number of at least 1, but is ${perImage}.`,
    );
  }
}
