/** Filling a memory bank: every patch is looked at, few are kept. */
import { type Tensor, tensor } from "@ddad/nn";
import { hashCounters } from "../data/random.ts";
import { greedyCoreset } from "./coreset.ts";
import { ProjectedVectors } from "./projection.ts";

/** How many patches are kept, and how they are chosen. */
export type CollectOptions = {
  /** Fraction of the patches that is kept, in (0, 1]. Default 0.1. */
  readonly fraction?: number;
  /** Most patches that are kept. Default 10,000. */
  readonly maxPatches?: number;
  /** Numbers to which patches are projected to choose among them. Default 128. */
  readonly projected?: number;
  /** Of the projection, and of the patch to begin with. Default 0. */
  readonly seed?: number;
  /**
   * Bytes of features that are remembered until the choice is made. Those of further images are computed a second time;
   * what is kept is the same. Default 1 GiB: 409 images of 256² by ResNet-50's stages 2 and 3.
   */
  readonly cacheBytes?: number;
  /** Told while patches are computed, chosen and kept. */
  readonly progress?: (stage: "patches" | "coreset" | "bank", done: number, count: number) => void;
};

/** Where patches come from, as many of every image. Its tensors are disposed of by who asks for them. */
export type PatchSource = {
  /** The features of an image by its index: what is remembered of it. */
  stages(image: number): Promise<readonly Tensor[]>;
  /** The patches `[…, C]` that they make. */
  join(stages: readonly Tensor[]): Promise<Tensor>;
};

/**
 * The coreset of the patches of all images, chosen by their projections (section 3.2 of the paper).
 *
 * @param images how many there are, at least one.
 * @returns `[kept · C]`, in the order of choice: any number of first rows is the coreset of that size.
 * @throws DataError when there is no memory for the projections.
 */
export async function collectBank(
  source: PatchSource,
  images: number,
  options: CollectOptions = {},
): Promise<{ readonly values: Float32Array; readonly dimension: number }> {
  const { fraction = 0.1, maxPatches = 10_000, projected = 128, seed = 0, progress } = options;
  if (!(fraction > 0 && fraction <= 1 && Number.isInteger(maxPatches) && maxPatches >= 1)) {
    throw new RangeError(
      `PatchCore: fraction must be in (0, 1] and maxPatches a whole number from 1 on, but they are ${fraction} and ${maxPatches}.`,
    );
  }
  if (images < 1) throw new RangeError("PatchCore: the bank needs at least one good image.");
  const remembered = new Map<number, readonly Float32Array[]>();
  const shapes: (readonly number[])[] = [];
  let room = options.cacheBytes ?? 2 ** 30;
  let points: ProjectedVectors | undefined;
  let dimension = 0;
  try {
    for (let image = 0; image < images; image++) {
      const stages = await source.stages(image);
      using patches = await source.join(stages);
      dimension = patches.shape.at(-1)!;
      points ??= new ProjectedVectors((images * patches.size) / dimension, dimension, projected, seed);
      await points.add(patches);
      const bytes = stages.reduce((sum, { size }) => sum + 4 * size, 0);
      if (room >= bytes) {
        room -= bytes;
        if (shapes.length === 0) shapes.push(...stages.map(({ shape }) => shape));
        remembered.set(image, await dataOf(stages));
      }
      for (const stage of stages) stage.dispose();
      progress?.("patches", image + 1, images);
    }
    const { count } = points!;
    const kept = Math.max(Math.min(Math.round(fraction * count), maxPatches), 1);
    const chosen = await greedyCoreset(points!.values, points!.dimension, kept, {
      first: hashCounters(seed, 1) % count,
      progress: (done) => progress?.("coreset", done, kept),
    });
    const read = async (image: number): Promise<Float32Array> => {
      progress?.("bank", image + 1, images);
      const known = remembered.get(image)?.map((values, k) => tensor(values, shapes[k]!));
      const stages = known ?? (await source.stages(image));
      using patches = await source.join(stages);
      for (const stage of stages) stage.dispose();
      return (await patches.data()) as Float32Array;
    };
    return { values: await gatherRows(chosen, count / images, dimension, read), dimension };
  } finally {
    points?.dispose();
  }
}

const dataOf = (tensors: readonly Tensor[]): Promise<Float32Array[]> =>
  Promise.all(tensors.map((each) => each.data() as Promise<Float32Array>));

/** Rows by their indices over all images, each image being read once. */
async function gatherRows(
  chosen: Uint32Array,
  perImage: number,
  dimension: number,
  read: (image: number) => Promise<Float32Array>,
): Promise<Float32Array> {
  const values = new Float32Array(chosen.length * dimension);
  const byImage = [...chosen.keys()].sort((a, b) => chosen[a]! - chosen[b]!);
  let [current, patches]: [number, Float32Array] = [-1, values];
  for (const place of byImage) {
    const image = Math.floor(chosen[place]! / perImage);
    if (image !== current) [current, patches] = [image, await read(image)];
    const row = chosen[place]! % perImage;
    values.set(patches.subarray(row * dimension, (row + 1) * dimension), place * dimension);
  }
  return values;
}
