/** Learning rates as pure functions of the step. */

/** The learning rate of a step; the first step is 0. */
export type Schedule = (step: number) => number;

/** The same rate at every step. */
export const constantRate =
  (rate: number): Schedule =>
  () =>
    rate;

/** Numbers of `warmupCosine`. */
export interface WarmupCosine {
  /** The highest rate, reached at the end of the warm-up. */
  readonly peak: number;
  /** Steps of the whole training; from there on the rate is `floor`. */
  readonly steps: number;
  /** Steps of linear rise; the first step already learns. Default 0. */
  readonly warmup?: number;
  /** The rate at the end. Default 0. */
  readonly floor?: number;
}

/**
 * A linear rise to `peak` over `warmup` steps, then half a cosine down to `floor`
 * (Loshchilov and Hutter, "SGDR", ICLR 2017).
 */
export function warmupCosine({ peak, steps, warmup = 0, floor = 0 }: WarmupCosine): Schedule {
  if (!(warmup >= 0 && warmup < steps)) {
    throw new RangeError(
      `warmupCosine: warmup (${warmup}) must be at least 0 and less than steps (${steps}).`,
    );
  }
  return (step) => {
    if (step < warmup) return (peak * (step + 1)) / warmup;
    const done = Math.min(1, (step - warmup) / (steps - warmup));
    return floor + ((peak - floor) * (1 + Math.cos(Math.PI * done))) / 2;
  };
}
