/** Learning rates as pure functions of the step. */

/** The learning rate of a step; the first step is 0. */
export type Schedule = (step: number) => number;

/** The same learning rate at every step. */
export const constantSchedule =
  (learningRate: number): Schedule =>
  () =>
    learningRate;

/** Numbers of `stepSchedule`. */
export interface StepSchedule {
  /** The learning rate of the first step. */
  readonly learningRate: number;
  /** Steps between two changes, or the steps at which it changes, ascending. */
  readonly every: number | readonly number[];
  /** Factor of each change. Default 0.1. */
  readonly factor?: number;
}

/** `learningRate · factorᵏ` after k changes (PyTorch's StepLR and MultiStepLR, counted in steps). */
export function stepSchedule({ learningRate, every, factor = 0.1 }: StepSchedule): Schedule {
  if (typeof every === "number") {
    if (!(every >= 1)) throw new RangeError(`stepSchedule: every must be at least 1, but is ${every}.`);
    return (step) => learningRate * factor ** Math.floor(step / every);
  }
  if (every.some((milestone, index) => index > 0 && milestone <= every[index - 1]!)) {
    throw new RangeError(`stepSchedule: every must be ascending, but is [${every.join(", ")}].`);
  }
  return (step) => learningRate * factor ** every.filter((milestone) => step >= milestone).length;
}

/** Numbers of `cosineSchedule`. */
export interface CosineSchedule {
  /** The learning rate of the first step. */
  readonly learningRate: number;
  /** Steps of the whole training; from there on the learning rate is `floor`. */
  readonly steps: number;
  /** The learning rate at the end. Default 0. */
  readonly floor?: number;
}

/** Half a cosine from `learningRate` down to `floor` (Loshchilov and Hutter, "SGDR", ICLR 2017). */
export const cosineSchedule = ({ learningRate, steps, floor = 0 }: CosineSchedule): Schedule => {
  checkSteps("cosineSchedule", steps);
  return (step) => annealed(learningRate, floor, step / steps);
};

/** Numbers of `warmupCosine`. */
export interface WarmupCosine {
  /** The highest learning rate, reached at the end of the warm-up. */
  readonly peak: number;
  /** Steps of the whole training; from there on the learning rate is `floor`. */
  readonly steps: number;
  /** Steps of linear rise; the first step already learns. Default 0. */
  readonly warmup?: number;
  /** The learning rate at the end. Default 0. */
  readonly floor?: number;
}

/** A linear rise to `peak` over `warmup` steps, then half a cosine down to `floor`. */
export function warmupCosine({ peak, steps, warmup = 0, floor = 0 }: WarmupCosine): Schedule {
  if (!(warmup >= 0 && warmup < steps)) {
    throw new RangeError(
      `warmupCosine: warmup (${warmup}) must be at least 0 and less than steps (${steps}).`,
    );
  }
  return (step) =>
    step < warmup ? (peak * (step + 1)) / warmup : annealed(peak, floor, (step - warmup) / (steps - warmup));
}

/** Numbers of `oneCycle`. */
export interface OneCycle {
  /** The highest learning rate. */
  readonly peak: number;
  /** Steps of the whole training. */
  readonly steps: number;
  /** Fraction of the steps in which the learning rate rises. Default 0.3. */
  readonly rise?: number;
  /** The first learning rate is peak / startDivisor. Default 25. */
  readonly startDivisor?: number;
  /** The last learning rate is the first / endDivisor. Default 10,000. */
  readonly endDivisor?: number;
}

/**
 * Half a cosine up to `peak`, then half a cosine down to nearly 0 (Smith and Topin, "Super-convergence", 2017), with the
 * numbers of PyTorch's OneCycleLR.
 */
export function oneCycle(options: OneCycle): Schedule {
  const { peak, steps, rise = 0.3, startDivisor = 25, endDivisor = 1e4 } = options;
  checkSteps("oneCycle", steps);
  if (!(rise >= 0 && rise <= 1)) throw new RangeError(`oneCycle: rise must be in 0 … 1, but is ${rise}.`);
  const start = peak / startDivisor;
  const top = rise * steps - 1; // the step of the peak
  return (step) =>
    step <= top
      ? annealed(start, peak, top === 0 ? 1 : step / top)
      : annealed(peak, start / endDivisor, (step - top) / (steps - 1 - top));
}

function checkSteps(op: string, steps: number): void {
  if (!(steps >= 1)) throw new RangeError(`${op}: steps must be at least 1, but are ${steps}.`);
}

/** From `from` to `to` along half a cosine; `done` is cut to 0 … 1. */
const annealed = (from: number, to: number, done: number): number =>
  to + ((from - to) * (1 + Math.cos(Math.PI * Math.min(1, Math.max(0, done))))) / 2;
