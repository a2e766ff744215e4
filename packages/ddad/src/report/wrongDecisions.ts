/** The images that a threshold decides wrongly. */
import type { ScoredImage } from "../evaluation/evaluation.ts";

/** A good image called defective, or a defective one called good. */
export type Mistake = "false alarm" | "missed";

/** The worst first: good images by falling scores, defective ones by rising scores. */
export type WrongDecisions = Readonly<Record<Mistake, readonly ScoredImage[]>>;

/** The images on the wrong side of the threshold; a score that reaches it is called defective. */
export function wrongDecisions(scores: readonly ScoredImage[], threshold: number): WrongDecisions {
  const decided = (label: 0 | 1, above: boolean): ScoredImage[] =>
    scores.filter((image) => image.label === label && image.score >= threshold === above);
  return {
    "false alarm": decided(0, true).sort((a, b) => b.score - a.score),
    missed: decided(1, false).sort((a, b) => a.score - b.score),
  };
}

/**
 * How many to take from the front of each list, at most `limit` in all: one of each in turn, so that no list is crowded out
 * by a longer one.
 */
export function fairCounts(lengths: readonly number[], limit: number): number[] {
  const fractions = lengths.map(() => 0);
  let left = limit;
  let before: number;
  do {
    before = left;
    for (const [i, length] of lengths.entries()) {
      if (left === 0 || fractions[i]! >= length) continue;
      fractions[i]! += 1;
      left--;
    }
  } while (left > 0 && left < before);
  return fractions;
}
