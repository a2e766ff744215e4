/** How good images are divided: by a hash of each one's id, so that an image's side depends on no other image. */
import { DataError } from "../errors.ts";
import { hashText, uniform } from "./random.ts";
import type { Dataset, Sample } from "./sample.ts";

/** Divisions that must not depend on each other. */
const draws = { heldOut: 1, test: 2 };

/** A number in [0, 1) of an image, the same for an id and a seed on every machine. */
const draw = (purpose: keyof typeof draws, id: string, seed: number): number =>
  uniform(seed, draws[purpose], hashText(id));

/** Fraction of the good images that is tested with, where a data set does not say which are. */
export const testFraction = 0.2;

/** Whether a good image is one to test with, in a data set that does not say so. */
export const isTestImage = (id: string, seed: number): boolean => draw("test", id, seed) < testFraction;

/** Which image was on which side when a run began; `split.json` in its folder. */
export type SplitRecord = {
  /** Name of the data set. */
  dataset: string;
  seed: number;
  /** Fraction held out. */
  fraction: number;
  /** Ids, sorted. */
  train: string[];
  heldOut: string[];
  test: string[];
};

/** Good images to train on, and those held out. */
export type Split = { train: Sample[]; heldOut: Sample[] };

/** How `splitHeldOut` divides. */
export type SplitOptions = {
  /** Fraction to hold out, in [0, 1); 0 holds none out. */
  fraction: number;
  seed: number;
  /** Sides that were taken before, which are kept. */
  record?: SplitRecord | undefined;
};

/**
 * Holds a fraction of the good training images back, for the choice of the checkpoint and of the threshold.
 *
 * An image is held out when a hash of its id and the seed is below the fraction. So its side does not change when others
 * come or go, and how many there are is near the fraction, not exactly it. A few images may have too few below it: then
 * the ones with the lowest hash join them, up to two, which a threshold needs, or half of all. One is always trained on.
 *
 * @throws DataError when there are fewer than two images to divide.
 */
export function splitHeldOut(samples: readonly Sample[], { fraction, seed, record }: SplitOptions): Split {
  if (!(fraction >= 0 && fraction < 1)) {
    throw new RangeError(`splitHeldOut: the fraction must be in [0, 1), but is ${fraction}.`);
  }
  if (fraction === 0) return { train: [...samples], heldOut: [] };
  if (samples.length < 2) {
    throw new DataError(
      `Holding out a fraction of ${fraction} of the good images needs at least two of them, but there ${samples.length === 1 ? "is one" : "is none"}.`,
    );
  }
  const [trained, held] = [new Set(record?.train), new Set(record?.heldOut)];
  const byHash = samples.map(({ id }) => ({ id, hash: draw("heldOut", id, seed) }));
  byHash.sort((a, b) => a.hash - b.hash || (a.id < b.id ? -1 : 1));
  const undecided = byHash.filter(({ id }) => !trained.has(id) && !held.has(id));
  const kept = samples.filter(({ id }) => held.has(id)).length;
  const least = Math.min(2, Math.floor(samples.length / 2)) - kept;
  const most = samples.length - 1 - kept;
  const below = undecided.filter(({ hash }) => hash < fraction).length;
  const chosen = undecided.slice(0, Math.max(Math.min(Math.max(below, least), most), 0));
  for (const { id } of chosen) held.add(id);
  return {
    train: samples.filter(({ id }) => !held.has(id)),
    heldOut: samples.filter(({ id }) => held.has(id)),
  };
}

/** What to remember of a division: what was remembered before, vanished images included, and what is new. */
export function recordSplit(
  { name, test }: Dataset,
  { train, heldOut }: Split,
  { fraction, seed, record }: SplitOptions,
): SplitRecord {
  const ids = (before: readonly string[] = [], samples: readonly Sample[]): string[] =>
    [...new Set([...before, ...samples.map(({ id }) => id)])].sort();
  return {
    dataset: name,
    seed,
    fraction,
    train: ids(record?.train, train),
    heldOut: ids(record?.heldOut, heldOut),
    test: ids(record?.test, test),
  };
}

/** Images that are new, or gone, since their ids were recorded. */
export function splitChanges(
  recorded: readonly string[],
  samples: readonly Sample[],
): { added: string[]; missing: string[] } {
  const now = new Set(samples.map(({ id }) => id));
  const before = new Set(recorded);
  return {
    added: [...now].filter((id) => !before.has(id)).sort(),
    missing: [...before].filter((id) => !now.has(id)).sort(),
  };
}
