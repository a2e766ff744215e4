/** Intervals of what is counted or ranked perfectly, where resampling would promise too much. */
import { bootstrapDefaults, type Interval } from "./bootstrap.ts";
import { normalQuantile } from "./normalQuantile.ts";

/**
 * The exact interval of a rate of which `count` of `of` were seen (Clopper and Pearson 1934): it covers the true rate with at
 * least the probability `level`. Of 12 images without a false alarm it says 0 … 26.5 %.
 *
 * @throws RangeError unless 0 ≤ count ≤ of and of > 0
 */
export function clopperPearson(count: number, of: number, level: number = bootstrapDefaults.level): Interval {
  if (!(of > 0 && count >= 0 && count <= of)) {
    throw new RangeError(`clopperPearson: count must be from 0 to ${of}, but is ${count}.`);
  }
  const tail = (1 - level) / 2;
  const low = count === 0 ? 0 : solve((rate) => 1 - atMost(count - 1, of, rate) < tail);
  const high = count === of ? 1 : solve((rate) => atMost(count, of, rate) > tail);
  return [low, high];
}

/** Where a condition that holds from 0 on ends, in [0, 1], by bisection. */
function solve(holds: (rate: number) => boolean): number {
  let [low, high] = [0, 1];
  for (let i = 0; i < 52; i++) {
    const middle = (low + high) / 2;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The probability of at most `count` of `of` at a rate: the binomial distribution. */
function atMost(count: number, of: number, rate: number): number {
  const [hit, miss] = [Math.log(rate), Math.log1p(-rate)];
  let ways = 0; // log of the binomial coefficient
  let sum = 0;
  for (let i = 0; i <= count; i++) {
    sum += Math.exp(ways + i * hit + (of - i) * miss);
    ways += Math.log((of - i) / (i + 1));
  }
  return sum;
}

/**
 * The interval of an area under the ROC curve that also says something where it is 1: score method 5 of Newcombe (Statistics in
 * Medicine 2006, 25:559). It holds the areas θ with
 *
 *     (area − θ)² ≤ z² θ (1 − θ) (1 + N (1 − θ) / (2 − θ) + N θ / (1 + θ)) / (m n),   N = (m + n) / 2 − 1.
 *
 * @param positives m, `negatives` n: how many defective and good ones there are
 */
export function aurocInterval(
  area: number,
  positives: number,
  negatives: number,
  level: number = bootstrapDefaults.level,
): Interval {
  const z = normalQuantile((1 + level) / 2);
  const more = (positives + negatives) / 2 - 1;
  const holds = (theta: number): boolean => {
    const spread = 1 + (more * (1 - theta)) / (2 - theta) + (more * theta) / (1 + theta);
    return (area - theta) ** 2 <= (z ** 2 * theta * (1 - theta) * spread) / (positives * negatives);
  };
  const low = area === 0 ? 0 : area * solve((part) => !holds(area * part));
  const high = area === 1 ? 1 : area + (1 - area) * solve((part) => holds(area + (1 - area) * part));
  return [low, high];
}
