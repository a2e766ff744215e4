/** Filling a memory bank: every patch is looked at, few are kept. */
import type { Tensor } from "@ddad/nn";
import { hashCounters } from "../datasets/random.ts";
import { greedyCoreset } from "./coreset.ts";
import { ProjectedVectors } from "./projection.ts";

/** How many patches are kept, and how they are chosen. */
export type CollectOptions = {
  /** Share of the patches that is kept, in (0, 1]. Default 0.1. */
  readonly fraction?: number;
  /** Most patches that are kept. Default 10,000. */
  readonly maxPatches?: number;
  /** Numbers to which patches are projected to choose among them. Default 128. */
  readonly projected?: number;
  /** Of the projection, and of the patch to begin with. Default 0. */
  readonly seed?: number;
  /**
   * Bytes of patches that are remembered until the choice is made. Those of further pictures are computed a second time;
   * what is kept is the same. Default 1 GiB.
   */
  readonly cacheBytes?: number;
  /** Told while patches are computed, chosen and kept. */
  readonly progress?: (stage: "patches" | "coreset" | "bank", done: number, count: number) => void;
};

/** Computes the patches `[…, C]` of a picture by its index, as many for every picture. */
export type PatchSource = (picture: number) => Promise<Tensor>;

/**
 * The coreset of the patches of all pictures, chosen by their projections (section 3.2 of the paper).
 *
 * @param patchesOf its tensors are disposed of here.
 * @param pictures how many there are, at least one.
 * @returns `[kept · C]`, in the order of choice: any number of first rows is the coreset of that size.
 * @throws DataError when there is no memory for the projections.
 */
export async function collectBank(
  patchesOf: PatchSource,
  pictures: number,
  options: CollectOptions = {},
): Promise<{ readonly values: Float32Array; readonly dimension: number }> {
  const { fraction = 0.1, maxPatches = 10_000, projected = 128, seed = 0, progress } = options;
  if (!(fraction > 0 && fraction <= 1 && Number.isInteger(maxPatches) && maxPatches >= 1)) {
    throw new RangeError(
      `PatchCore: fraction must be in (0, 1] and maxPatches a whole number from 1 on, but they are ${fraction} and ${maxPatches}.`,
    );
  }
  if (pictures < 1) throw new RangeError("PatchCore: the bank needs at least one good picture.");
  const remembered = new Map<number, Float32Array>();
  let room = options.cacheBytes ?? 2 ** 30;
  let points: ProjectedVectors | undefined;
  let dimension = 0;
  try {
    for (let picture = 0; picture < pictures; picture++) {
      using patches = await patchesOf(picture);
      dimension = patches.shape.at(-1)!;
      points ??= new ProjectedVectors((pictures * patches.size) / dimension, dimension, projected, seed);
      await points.add(patches);
      if (room >= 4 * patches.size) {
        room -= 4 * patches.size;
        remembered.set(picture, (await patches.data()) as Float32Array);
      }
      progress?.("patches", picture + 1, pictures);
    }
    const { count } = points!;
    const kept = Math.max(Math.min(Math.round(fraction * count), maxPatches), 1);
    const chosen = await greedyCoreset(points!.values, points!.dimension, kept, {
      first: hashCounters(seed, 1) % count,
      progress: (done) => progress?.("coreset", done, kept),
    });
    const read = async (picture: number): Promise<Float32Array> => {
      progress?.("bank", picture + 1, pictures);
      const known = remembered.get(picture);
      if (known) return known;
      using patches = await patchesOf(picture);
      return (await patches.data()) as Float32Array;
    };
    return { values: await gatherRows(chosen, count / pictures, dimension, read), dimension };
  } finally {
    points?.dispose();
  }
}

/** Rows by their indices over all pictures, each picture being read once. */
async function gatherRows(
  chosen: Uint32Array,
  perPicture: number,
  dimension: number,
  read: (picture: number) => Promise<Float32Array>,
): Promise<Float32Array> {
  const values = new Float32Array(chosen.length * dimension);
  const byPicture = [...chosen.keys()].sort((a, b) => chosen[a]! - chosen[b]!);
  let [current, patches]: [number, Float32Array] = [-1, values];
  for (const place of byPicture) {
    const picture = Math.floor(chosen[place]! / perPicture);
    if (picture !== current) [current, patches] = [picture, await read(picture)];
    const row = chosen[place]! % perPicture;
    values.set(patches.subarray(row * dimension, (row + 1) * dimension), place * dimension);
  }
  return values;
}
