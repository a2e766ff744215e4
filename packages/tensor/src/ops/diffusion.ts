/** Diffusion: noise added to images at a known level, and the guided step that takes it away. */
import { addNoise as addNoiseKernel, guidedStep as guidedStepKernel } from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { mul, sqrt, sub } from "./elementwise.ts";
import { reshape } from "./reshape.ts";

export { type GuidedStepSettings, guidedStepCoefficients } from "@ddad/kernels-wgsl";

/** √ᾱ x + √(1−ᾱ) noise, with one ᾱ for each image: x, noise [N, …], alphaBar [N] (DDPM, eq. 4). */
export function addNoise(x: Tensor, noise: Tensor, alphaBar: Tensor): Tensor {
  const level = (): Tensor => reshape(alphaBar, [x.shape[0]!, ...x.shape.slice(1).map(() => 1)]);
  return record(
    addNoiseKernel,
    { x, noise, alphaBar },
    {},
    {
      x: ({ y: g }) => mul(g, sqrt(level())),
      noise: ({ y: g }) => mul(g, sqrt(sub(1, level()))),
    },
  ).y;
}

/** What `guidedStep` reads, all f32. */
export interface GuidedStepInputs {
  /** x_t [N, …]. */
  readonly x: Tensor;
  /** The network's ε [N, …]. */
  readonly epsilon: Tensor;
  /** The image to stay close to, y [N, …]. */
  readonly target: Tensor;
  /** z [N, …]; without it no noise is added. */
  readonly noise?: Tensor | undefined;
  /** Rows of `guidedStepCoefficients`: [N, 6], or [1, 6] for all images alike. */
  readonly coefficients: Tensor;
}

/** One guided step of the reconstruction (DDAD, algorithm 1): the next x and the predicted clean image. No gradient. */
export const guidedStep = ({ target, ...inputs }: GuidedStepInputs): Record<"xPrevious" | "x0", Tensor> =>
  record(guidedStepKernel, { ...inputs, guide: target }, {}); // WGSL reserves the word target
