/**
 * How good images are divided: by a hash of each one's id. In a large set an image's side depends on no other image; in a small one,
 * where luck would make the parts too large or too small, as many of the lowest hashes are taken as there should be.
 */
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

/** How `divideByHash` chooses. */
export type HashDivision = {
  /** Divisions for other purposes are independent of this one. */
  readonly purpose: keyof typeof draws;
  /** Fraction to choose, in [0, 1). */
  readonly fraction: number;
  readonly seed: number;
  /** How many are chosen at least, and at most, whatever their hashes are. */
  readonly least: number;
  readonly most: number;
};

/** The images whose hash is below a fraction; the lowest ones where those are too few or too many. In ascending order of the hash. */
export function divideByHash<S extends { readonly id: string }>(
  samples: readonly S[],
  { purpose, fraction, seed, least, most }: HashDivision,
): S[] {
  const byHash = samples.map((sample) => ({ sample, hash: draw(purpose, sample.id, seed) }));
  byHash.sort((a, b) => a.hash - b.hash || (a.sample.id < b.sample.id ? -1 : 1));
  const below = byHash.filter(({ hash }) => hash < fraction).length;
  const count = Math.max(Math.min(Math.max(below, least), most), 0);
  return byHash.slice(0, count).map(({ sample }) => sample);
}

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
  /** Good images that the data set itself names for validation: they are held out, and no others but recorded ones. */
  validation?: readonly Sample[] | undefined;
  /**
   * A model was trained already, and nobody recorded by which division. Of a few images then only those are held out that both this
   * version and version 0.1, which went by hashes alone, would have held out.
   */
  unrecorded?: boolean | undefined;
};

/** Sets below this size have exactly the fraction held out; by hashes alone 29 images gave 2, and 10 gave 4. */
const exactBelow = 100;

/**
 * Holds a fraction of the good training images back, for the choice of the checkpoint and of the threshold.
 *
 * Of 100 images and more, an image is held out when a hash of its id and the seed is below the fraction. So its side does not change
 * when others come or go, and how many there are is near the fraction, not exactly it. Of fewer the ones with the lowest hashes are
 * held out, the fraction rounded, but at least two, which a threshold needs, or half of all. One is always trained on. When others
 * join a small set, sides that are recorded are kept, and the new images go by their hashes alone; without a record those at the
 * border may change sides.
 *
 * @throws DataError when there are fewer than two images to divide.
 */
export function splitHeldOut(samples: readonly Sample[], options: SplitOptions): Split {
  const { fraction, seed, record, validation = [], unrecorded = false } = options;
  if (!(fraction >= 0 && fraction < 1)) {
    throw new RangeError(`splitHeldOut: the fraction must be in [0, 1), but is ${fraction}.`);
  }
  if (fraction === 0) return { train: [...samples], heldOut: [] };
  const [trained, held] = [new Set(record?.train), new Set(record?.heldOut)];
  if (validation.length === 0) {
    if (samples.length < 2) {
      throw new DataError(
        `Holding out a fraction of ${fraction} of the good images needs at least two of them, but there ${samples.length === 1 ? "is one" : "is none"}.`,
      );
    }
    const undecided = samples.filter(({ id }) => !trained.has(id) && !held.has(id));
    const kept = samples.filter(({ id }) => held.has(id)).length;
    const least = Math.min(2, Math.floor(samples.length / 2)) - kept;
    const most = samples.length - 1 - kept;
    const exact = Math.min(Math.max(Math.round(samples.length * fraction), least), most);
    const isExact = samples.length < exactBelow && record === undefined;
    const chosen = divideByHash(undecided, {
      ...{ purpose: "heldOut", fraction, seed },
      least: isExact && !unrecorded ? exact : least,
      most: isExact ? exact : most,
    });
    for (const { id } of chosen) held.add(id);
  }
  for (const { id } of validation) if (!trained.has(id)) held.add(id);
  const all = [...samples, ...validation];
  return {
    train: all.filter(({ id }) => !held.has(id)),
    heldOut: all.filter(({ id }) => held.has(id)),
  };
}

/** What to remember of a division: what was remembered before, vanished images included, and what is new. */
export function recordSplit(
  { name, test }: Dataset,
  { train, heldOut }: { readonly train: readonly Sample[]; readonly heldOut: readonly Sample[] },
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
