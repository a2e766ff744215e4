/**
 * The noise schedule and the DDIM steps: equations 1 and 7 of the paper (arXiv 2305.15956), in float32 as the
 * published code computes them.
 */
const f32 = Math.fround;

/** How much noise there is at every time step. */
export type NoiseSchedule = {
  /** Number of time steps T; valid steps are 0 … T − 1. */
  readonly steps: number;
  /** β_t, the variance added at step t. */
  readonly betas: Float32Array;
  /** ᾱ_t = Π (1 − β_s) over s = 0 … t; ᾱ_{−1} = 1 is the clean image. */
  alphaBar(t: number): number;
};

/** T and the first and the last β. */
export type LinearScheduleOptions = { steps: number; from: number; to: number };

/**
 * β rises linearly from `from` (t = 0) to `to` (t = steps − 1).
 *
 * The betas are float32. Their running product is kept in float64 and each entry rounded once, because that is
 * what PyTorch's `cumprod` does: an all-float32 product drifts by 7e-7.
 *
 * @throws RangeError unless `steps` is a whole number of at least 2 and 0 < from ≤ to < 1.
 */
export function linearSchedule({ steps, from, to }: LinearScheduleOptions): NoiseSchedule {
  if (!Number.isInteger(steps) || steps < 2) {
    throw new RangeError(`linearSchedule: steps must be a whole number of at least 2, but is ${steps}.`);
  }
  if (!(from > 0 && from <= to && to < 1)) {
    throw new RangeError(
      `linearSchedule: betas must satisfy 0 < from <= to < 1, but go from ${from} to ${to}.`,
    );
  }
  const betas = new Float32Array(steps);
  const products = new Float32Array(steps);
  const increment = (to - from) / (steps - 1);
  let product = 1;
  for (let t = 0; t < steps; t++) {
    const beta = f32(t === steps - 1 ? to : t * increment + from);
    betas[t] = beta;
    product *= f32(1 - beta);
    products[t] = product;
  }
  const alphaBar = (t: number): number => {
    if (t === -1) return 1;
    const value = products[t];
    if (value === undefined) {
      throw new RangeError(`alphaBar: t must be a whole number from -1 to ${steps - 1}, but is ${t}.`);
    }
    return value;
  };
  return { steps, betas, alphaBar };
}

/** One step of the sampler: the network is called at `t` and the state moves to `previous` (−1: the clean image). */
export type SamplingStep = { t: number; previous: number };

/** Which time steps a reconstruction goes through. */
export type SamplingOptions = {
  /** Time step to which the image is noised. */
  start: number;
  /** Time steps between two sampling steps. */
  stride: number;
  /** Number of sampling steps, instead of what the stride gives. */
  steps?: number | undefined;
};

/**
 * The time steps of one reconstruction, falling; the last goes to −1.
 *
 * By `stride`, as published, its multiples below `start`: `{ start: 250, stride: 25 }` gives 225 → 200 → … → 25 → 0 → −1; the
 * image is noised to 250, but the first step passes 225 to the network.
 *
 * By `steps`, that many evenly spaced ones from `start` on, so that the network gets the time step of the noise it sees, which matters the
 * more the fewer they are: 5 give 250 → 200 → 150 → 100 → 50 → −1.
 *
 * @throws RangeError unless all are whole numbers of at least 1, and `steps` at most `start`.
 */
export function samplingSteps({ start, stride, steps }: SamplingOptions): SamplingStep[] {
  for (const [name, value] of Object.entries({ start, stride, steps: steps ?? 1 })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new RangeError(`samplingSteps: ${name} must be a whole number of at least 1, but is ${value}.`);
    }
  }
  if (steps !== undefined && steps > start) {
    throw new RangeError(`samplingSteps: steps must be at most start (${start}), but is ${steps}.`);
  }
  const count = steps ?? Math.ceil(start / stride);
  const time = (index: number): number => {
    if (index === count) return -1;
    return steps === undefined ? (count - 1 - index) * stride : Math.round((start * (count - index)) / count);
  };
  return Array.from({ length: count }, (_, index) => ({ t: time(index), previous: time(index + 1) }));
}

/** The numbers of one DDIM step. */
export type DdimCoefficients = {
  /** ᾱ_t. */
  alphaBar: number;
  /** ᾱ of the step moved to. */
  alphaBarPrevious: number;
  /** Deviation of the fresh noise: η √((1 − ᾱ_t/ᾱ_prev)(1 − ᾱ_prev)/(1 − ᾱ_t)). */
  c1: number;
  /** Weight of the predicted noise: √(1 − ᾱ_prev − c1²). */
  c2: number;
};

/**
 * Coefficients of x_prev = √ᾱ_prev x̂0 + c1 z + c2 ε', every operation rounded to float32.
 *
 * @param eta 0 is deterministic (DDIM), 1 adds as much noise as DDPM.
 */
export function ddimCoefficients(schedule: NoiseSchedule, step: SamplingStep, eta: number): DdimCoefficients {
  const alphaBar = schedule.alphaBar(step.t);
  const alphaBarPrevious = schedule.alphaBar(step.previous);
  const kept = f32(1 - f32(alphaBar / alphaBarPrevious));
  const left = f32(1 - alphaBarPrevious);
  const c1 = f32(eta * f32(Math.sqrt(f32(f32(kept * left) / f32(1 - alphaBar)))));
  const c2 = f32(Math.sqrt(f32(left - f32(c1 * c1))));
  return { alphaBar, alphaBarPrevious, c1, c2 };
}
