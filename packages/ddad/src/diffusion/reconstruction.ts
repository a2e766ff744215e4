/** Conditioned denoising, the heart of the paper (arXiv 2305.15956): what an image would look like without its defects. */
import {
  compile,
  evaluate,
  guidedStep,
  guidedStepCoefficients,
  Module,
  type PlannedBytes,
  planBytes,
  randomNormal,
  type Shape,
  type Tensor,
  type TensorSpec,
  tensor,
} from "@ddad/nn";
import type { Denoiser } from "./denoiser.ts";
import { noiseKeys } from "./noise.ts";
import { type NoiseSchedule, type SamplingStep, samplingSteps } from "./schedule.ts";

/** How images are reconstructed: the sampler, its guidance and its noise. */
export type ReconstructionOptions = {
  readonly schedule: NoiseSchedule;
  /** Time step to which the input is noised. */
  readonly start: number;
  /** Time steps between two sampling steps. */
  readonly stride: number;
  /** Number of sampling steps, evenly spaced from `start` on, instead of what the stride gives. */
  readonly steps?: number | undefined;
  /** w, the pull towards the target. */
  readonly guidance: number;
  /** Fresh noise in every step: 0 none (DDIM), 1 as much as DDPM. */
  readonly eta: number;
  /** Keep the pull λ_t = w (1 − ᾱ_t) at 1 or below, so that no step overshoots the target; false without it. */
  readonly limitGuidance?: boolean;
  /** Start from the noised input, rather than from the scaled one; true without it. */
  readonly startNoise?: boolean;
  /** Reconstructions from different noise whose mean is the result; 1 without it. They are computed one after the other. */
  readonly draws?: number | undefined;
  /** Recorded draws `[N, H, W, C]`: the first makes the start, number s + 1 belongs to step s. Otherwise drawn. */
  readonly noise?: readonly Tensor[];
  /** Seed of the drawn noise; 0 without it. */
  readonly seed?: number;
  /** Identities of the images, on which the drawn noise depends; 0, 1, … without them. */
  readonly images?: readonly number[];
  /** Told the start and the state after every step; a state is freed once the next is there. */
  readonly observe?: (state: Tensor) => void | Promise<void>;
  /** Looked at before every step; once it is aborted, its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
};

/**
 * Noises the input to `start` and denoises it again, pulled towards the target at every step. For detection both are
 * the inspected image.
 *
 * @param denoiser in evaluation mode
 * @param input `[N, H, W, C]` in [−1, 1]
 * @param target `[N, H, W, C]`
 * @returns x̂0, `[N, H, W, C]`, computed
 */
export async function reconstruct(
  denoiser: Denoiser,
  input: Tensor,
  target: Tensor,
  options: ReconstructionOptions,
): Promise<Tensor> {
  checkNoise(input, options);
  // Weights loaded a moment ago must be in the buffers that the compiled step reads.
  if (denoiser instanceof Module) await evaluate(...denoiser.namedState().values());
  const { draws = 1 } = options;
  const first = await reconstructOnce(denoiser, input, target, options, 0);
  if (draws === 1) return first;
  // One at a time: how a kernel divides its sums depends on the size of the batch, and with it the last digits.
  let sum = first;
  for (let set = 1; set < draws; set++) {
    using next = await reconstructOnce(denoiser, input, target, options, set);
    const before = sum;
    sum = before.add(next);
    await evaluate(sum);
    before.dispose();
  }
  const mean = sum.mul(1 / draws);
  await evaluate(mean);
  sum.dispose();
  return mean;
}

/** @param set number of the set of draws: each has noise of its own */
async function reconstructOnce(
  denoiser: Denoiser,
  input: Tensor,
  target: Tensor,
  options: ReconstructionOptions,
  set: number,
): Promise<Tensor> {
  const { schedule, start, startNoise = true, observe, signal } = options;
  const drawn = (draw: number): Tensor => drawNoise(input, options, set * drawsOfSet + draw);
  const step = compiledStep(denoiser);
  const alphaBar = schedule.alphaBar(start);
  let state = input.mul(Math.sqrt(alphaBar));
  if (startNoise) state = state.add(drawn(0).mul(Math.sqrt(1 - alphaBar)));
  await observe?.(state);
  const count = input.shape[0]!;
  for (const [index, timeStep] of samplingSteps(options).entries()) {
    signal?.throwIfAborted();
    const args = [tensor(new Float32Array(count).fill(timeStep.t)), stepCoefficients(timeStep, options)];
    if (isNoisy(timeStep, options)) args.push(drawn(drawOf(index)));
    const next = await step(state, target, ...args);
    for (const used of [state, ...args]) if (used !== input && !options.noise?.includes(used)) used.dispose();
    state = next;
    await observe?.(state);
  }
  return state;
}

/** Numbers that a set of draws has for itself: more than a sampler takes steps. */
const drawsOfSet = 2 ** 20;

/** One recording serves all time steps: what differs between them is in tensors. */
function compiledStep(denoiser: Denoiser): (...args: Tensor[]) => Promise<Tensor> {
  const known = steps.get(denoiser);
  if (known) return known;
  const step = compile((...args: Tensor[]) => denoise(denoiser, args));
  steps.set(denoiser, step);
  return step;
}

function denoise(denoiser: Denoiser, args: readonly Tensor[]): Tensor {
  const [x, target, t, coefficients, noise] = args as [Tensor, Tensor, Tensor, Tensor, Tensor?];
  const epsilon = denoiser.forward(x, t);
  return guidedStep({ x, epsilon, target, noise, coefficients }).xPrevious;
}

/** The memory of a time step for images of this shape, `[N, H, W, C]`; neither compiles nor runs it. */
export function planReconstruction(
  denoiser: Denoiser,
  shape: Shape,
  { eta }: { readonly eta: number },
): PlannedBytes {
  const image: TensorSpec = { shape, dtype: "f32" };
  const times: TensorSpec = { shape: [shape[0]!], dtype: "f32" };
  const coefficients: TensorSpec = { shape: [1, 6], dtype: "f32" };
  return planBytes(
    (...args: Tensor[]) => denoise(denoiser, args),
    [image, image, times, coefficients, ...(eta > 0 ? [image] : [])],
  );
}

const steps = new WeakMap<Denoiser, (...args: Tensor[]) => Promise<Tensor>>();

/** What the step from `t` needs to know, `[1, 6]`. */
function stepCoefficients(
  { t, previous }: SamplingStep,
  { schedule, guidance, limitGuidance = false, eta }: ReconstructionOptions,
): Tensor {
  const alphaBar = schedule.alphaBar(t);
  const pull = guidance * (1 - alphaBar);
  const blend = limitGuidance ? Math.min(1, pull) : pull;
  const row = guidedStepCoefficients({ alphaBar, alphaBarPrevious: schedule.alphaBar(previous), blend, eta });
  return tensor(row, [1, row.length]);
}

/** Number of the draw that belongs to a step; draw 0 makes the start. */
const drawOf = (step: number): number => step + 1;

/** Whether a step takes fresh noise; the last one, to the clean image, never does. */
const isNoisy = ({ previous }: SamplingStep, { eta }: ReconstructionOptions): boolean =>
  eta > 0 && previous >= 0;

/** Refuses recorded draws or identities that are too few before anything is computed. */
function checkNoise(input: Tensor, options: ReconstructionOptions): void {
  const { startNoise = true, noise, images, draws = 1 } = options;
  if (noise && draws > 1) {
    throw new RangeError(
      `reconstruct: noise was given for one reconstruction, but draws is ${draws}; leave one out.`,
    );
  }
  const needed = samplingSteps(options).flatMap((step, index) =>
    isNoisy(step, options) ? [drawOf(index)] : [],
  );
  if (startNoise) needed.unshift(0);
  const missing = noise && needed.find((draw) => noise[draw] === undefined);
  if (missing !== undefined) {
    throw new RangeError(
      `reconstruct: draw ${missing} of the noise is needed, but only ${noise!.length} draws were given.`,
    );
  }
  const count = input.shape[0]!;
  if (images && images.length !== count) {
    throw new RangeError(
      `reconstruct: there are ${count} images, but ${images.length} identities were given.`,
    );
  }
}

function drawNoise(input: Tensor, { noise, seed = 0, images }: ReconstructionOptions, draw: number): Tensor {
  if (noise) return noise[draw]!;
  const ids = images ?? Array.from({ length: input.shape[0]! }, (_, i) => i);
  const keys = noiseKeys(
    seed,
    "sampling",
    ids.map((image) => ({ image, step: draw })),
  );
  return randomNormal(keys, input.shape);
}
