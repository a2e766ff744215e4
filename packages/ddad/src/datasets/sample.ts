/** What a data set is made of, and how the good images are divided. */
import { DataError } from "../errors.ts";
import { hashText } from "./random.ts";

/** A picture on disk. */
export type ImageFile = {
  /** Path below the folder asked for, with forward slashes on every system; stable, so seeds and splits hang on it. */
  id: string;
  path: string;
};

/** A picture of which it is known whether it is defective. */
export type Sample = ImageFile & {
  /** 0 is good, 1 is defective. */
  label: 0 | 1;
  /** "good", or the kind of defect: the name of its folder. */
  kind: string;
  /** Ground truth of a defective picture, where the data set has it. */
  maskPath?: string;
};

export type Dataset = {
  /** Name to print: the last part of the folder's path. */
  name: string;
  /** Good pictures only. */
  train: Sample[];
  /** Good and defective pictures; empty when only good ones were given. */
  test: Sample[];
};

export type Split = { train: Sample[]; heldOut: Sample[] };

/**
 * Holds a share of the good training images back, for the choice of the checkpoint and of the threshold.
 *
 * Those with the lowest hash of their id are held out: the choice does not depend on the order or on the machine, and
 * hardly on which other images there are. At least one image stays on each side when the fraction is above 0.
 *
 * @param fraction in [0, 1); 0 holds none out.
 * @throws DataError when there are fewer than two images to divide.
 */
export function splitHeldOut(samples: readonly Sample[], fraction: number): Split {
  if (!(fraction >= 0 && fraction < 1)) {
    throw new RangeError(`splitHeldOut: the fraction must be in [0, 1), but is ${fraction}.`);
  }
  if (fraction === 0) return { train: [...samples], heldOut: [] };
  if (samples.length < 2) {
    throw new DataError(
      `Holding out a share of ${fraction} of the good images needs at least two of them, but there ${samples.length === 1 ? "is one" : "is none"}.`,
    );
  }
  const count = Math.min(Math.max(Math.round(samples.length * fraction), 1), samples.length - 1);
  const byHash = samples.map(({ id }) => ({ id, hash: hashText(id) }));
  byHash.sort((a, b) => a.hash - b.hash || (a.id < b.id ? -1 : 1));
  const chosen = new Set(byHash.slice(0, count).map(({ id }) => id));
  return {
    train: samples.filter(({ id }) => !chosen.has(id)),
    heldOut: samples.filter(({ id }) => chosen.has(id)),
  };
}
