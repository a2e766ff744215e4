/** Learning rates as pure functions of the step. */
import { checkOptions } from "@ddad/tensor/internal";
import { checkNumbers } from "../arguments.ts";

/** The learning rate of a step; the first step is 0. */
export type Schedule = (step: number) => number;

/** The same learning rate at every step. Throws RangeError where it is not a number. */
export function constantSchedule(learningRate: number): Schedule {
  checkNumbers("constantSchedule", { learningRate });
  return () => learningRate;
}

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
export function stepSchedule(options: StepSchedule): Schedule {
  checkOptions("stepSchedule", options, ["learningRate", "every", "factor"]);
  const { learningRate, every, factor = 0.1 } = options;
  checkNumbers("stepSchedule", { learningRate, factor });
  if (!Array.isArray(every)) {
    checkNumbers("stepSchedule", { every }, 1);
    return (step) => learningRate * factor ** Math.floor(step / (every as number));
  }
  const milestones = every as readonly number[];
  if (milestones.some((milestone, index) => index > 0 && !(milestone > milestones[index - 1]!))) {
    throw new RangeError(`stepSchedule: every must be ascending, but is [${every.join(", ")}].`);
  }
  return (step) => learningRate * factor ** milestones.filter((milestone) => step >= milestone).length;
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
export function cosineSchedule(options: CosineSchedule): Schedule {
  checkOptions("cosineSchedule", options, ["learningRate", "steps", "floor"]);
  const { learningRate, steps, floor = 0 } = options;
  checkNumbers("cosineSchedule", { steps }, 1);
  checkNumbers("cosineSchedule", { learningRate, floor });
  return (step) => annealed(learningRate, floor, step / steps);
}

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
export function warmupCosine(options: WarmupCosine): Schedule {
  checkOptions("warmupCosine", options, ["peak", "steps", "warmup", "floor"]);
  const { peak, steps, warmup = 0, floor = 0 } = options;
  checkNumbers("warmupCosine", { peak, steps, warmup, floor });
  if (!(warmup < steps)) {
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
  checkOptions("oneCycle", options, ["peak", "steps", "rise", "startDivisor", "endDivisor"]);
  const { peak, steps, rise = 0.3, startDivisor = 25, endDivisor = 1e4 } = options;
  checkNumbers("oneCycle", { steps }, 1);
  checkNumbers("oneCycle", { peak, rise, startDivisor, endDivisor });
  if (rise > 1) throw new RangeError(`oneCycle: rise must be in 0 … 1, but is ${rise}.`);
  const start = peak / startDivisor;
  const top = rise * steps - 1; // the step of the peak
  return (step) =>
    step <= top
      ? annealed(start, peak, top === 0 ? 1 : step / top)
      : annealed(peak, start / endDivisor, (step - top) / (steps - 1 - top));
}

/** From `from` to `to` along half a cosine; `done` is cut to 0 … 1. */
const annealed = (from: number, to: number, done: number): number =>
  to + ((from - to) * (1 + Math.cos(Math.PI * Math.min(1, Math.max(0, done))))) / 2;
