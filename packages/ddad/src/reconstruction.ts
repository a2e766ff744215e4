/** Conditioned denoising, the heart of the paper (arXiv 2305.15956): what a picture would look like without its defects. */
import {
  compile,
  evaluate,
  guidedStep,
  guidedStepCoefficients,
  Module,
  randomNormal,
  type Tensor,
  tensor,
} from "@ddad/nn";
import type { Denoiser } from "./denoiser.ts";
import { noiseKeys } from "./noise.ts";
import { type NoiseSchedule, type SamplingStep, samplingSteps } from "./schedule.ts";

export type ReconstructionOptions = {
  readonly schedule: NoiseSchedule;
  /** Time step to which the input is noised. */
  readonly start: number;
  /** Time steps between two calls of the network. */
  readonly stride: number;
  /** w, the pull towards the target. */
  readonly guidance: number;
  /** Fresh noise in every step: 0 none (DDIM), 1 as much as DDPM. */
  readonly eta: number;
  /** Keep the pull λ_t = w (1 − ᾱ_t) at 1 or below, so that no step overshoots the target; false without it. */
  readonly limitGuidance?: boolean;
  /** Start from the noised input, rather than from the scaled one; true without it. */
  readonly startNoise?: boolean;
  /** Recorded draws `[N, H, W, C]`: the first makes the start, number s + 1 belongs to step s. Otherwise drawn. */
  readonly noise?: readonly Tensor[];
  /** Seed of the drawn noise; 0 without it. */
  readonly seed?: number;
  /** Identities of the pictures, on which the drawn noise depends; 0, 1, … without them. */
  readonly images?: readonly number[];
  /** Told the start and the state after every step; a state is freed once the next is there. */
  readonly observe?: (state: Tensor) => void | Promise<void>;
};

/**
 * Noises the input to `start` and denoises it again, pulled towards the target at every step. For detection both are
 * the inspected picture.
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
  const { schedule, start, stride, startNoise = true, observe } = options;
  // Weights loaded a moment ago must be in the buffers that the compiled step reads.
  if (denoiser instanceof Module) await evaluate(...denoiser.namedState().values());
  const step = compiledStep(denoiser);
  const alphaBar = schedule.alphaBar(start);
  let state = input.mul(Math.sqrt(alphaBar));
  if (startNoise) state = state.add(drawNoise(input, options, 0).mul(Math.sqrt(1 - alphaBar)));
  await observe?.(state);
  const count = input.shape[0]!;
  for (const [index, timeStep] of samplingSteps({ start, stride }).entries()) {
    const { coefficients, noisy } = stepCoefficients(timeStep, options);
    const args = [tensor(new Float32Array(count).fill(timeStep.t)), coefficients];
    if (noisy) args.push(drawNoise(input, options, index + 1));
    const next = await step(state, target, ...args);
    for (const used of [state, ...args]) if (used !== input && !options.noise?.includes(used)) used.dispose();
    state = next;
    await observe?.(state);
  }
  return state;
}

/** One recording serves all time steps: what differs between them is in tensors. */
function compiledStep(denoiser: Denoiser): (...args: Tensor[]) => Promise<Tensor> {
  const known = steps.get(denoiser);
  if (known) return known;
  const step = compile((...args: Tensor[]) => {
    const [x, target, t, coefficients, noise] = args as [Tensor, Tensor, Tensor, Tensor, Tensor?];
    const epsilon = denoiser.forward(x, t);
    return guidedStep({ x, epsilon, target, noise, coefficients }).xPrevious;
  });
  steps.set(denoiser, step);
  return step;
}

const steps = new WeakMap<Denoiser, (...args: Tensor[]) => Promise<Tensor>>();

/** What the step from `t` needs to know, `[1, 6]`, and whether it takes fresh noise. */
function stepCoefficients(
  { t, previous }: SamplingStep,
  { schedule, guidance, limitGuidance = false, eta }: ReconstructionOptions,
): { coefficients: Tensor; noisy: boolean } {
  const alphaBar = schedule.alphaBar(t);
  const pull = guidance * (1 - alphaBar);
  const blend = limitGuidance ? Math.min(1, pull) : pull;
  const row = guidedStepCoefficients({ alphaBar, alphaBarPrevious: schedule.alphaBar(previous), blend, eta });
  return { coefficients: tensor(row, [1, row.length]), noisy: eta > 0 && previous >= 0 };
}

function drawNoise(input: Tensor, { noise, seed = 0, images }: ReconstructionOptions, draw: number): Tensor {
  if (noise) {
    const recorded = noise[draw];
    if (recorded) return recorded;
    throw new RangeError(`reconstruct: draw ${draw} is needed, but only ${noise.length} draws were given.`);
  }
  const count = input.shape[0]!;
  const ids = images ?? Array.from({ length: count }, (_, i) => i);
  if (ids.length !== count) {
    throw new RangeError(`reconstruct: there are ${count} pictures but ${ids.length} identities.`);
  }
  const keys = noiseKeys(
    seed,
    "sampling",
    ids.map((image) => ({ image, step: draw })),
  );
  return randomNormal(keys, input.shape);
}
