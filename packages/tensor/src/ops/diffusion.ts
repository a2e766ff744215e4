/** Diffusion: noise added to images at a known level, and the guided step that takes it away. */

import { addNoise as addNoiseKernel, guidedStep as guidedStepKernel } from "@ddad/kernels-wgsl";
import { checkOptions } from "../options.ts";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { add, div, mul, rsqrt, sqrt, sub } from "./elementwise.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";
import { sum } from "./sum.ts";

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
      alphaBar: ({ y: g }) => {
        const slope = sub(mul(x, rsqrt(level())), mul(noise, rsqrt(sub(1, level()))));
        const each = x.shape.slice(1).reduce((product, extent) => product * extent, 1);
        return mul(sum(reshape(mul(g, slope), [x.shape[0]!, each]), 1), 0.5);
      },
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

/** One guided step of the reconstruction (DDAD, algorithm 1): the next x and the predicted clean image. */
export function guidedStep(inputs: GuidedStepInputs): Record<"xPrevious" | "x0", Tensor> {
  const { target, ...others } = checkOptions("guidedStep", inputs, guidedStepInputs);
  return record(guidedStepKernel, { ...others, guide: target }, {}, composed); // WGSL reserves the word target
}

const guidedStepInputs = ["x", "epsilon", "target", "noise", "coefficients"] as const;

/** `guidedStep` in simple operations. */
function composed(
  inputs: Readonly<Record<"x" | "epsilon" | "guide" | "coefficients", Tensor>> & {
    readonly noise?: Tensor;
  },
): Record<"xPrevious" | "x0", Tensor> {
  const { x, epsilon, guide, noise, coefficients } = inputs;
  const rows = coefficients.shape[0]!;
  const column = (index: number): Tensor =>
    reshape(slice(coefficients, [0, index], [rows, index + 1]), [rows, ...x.shape.slice(1).map(() => 1)]);
  const [signal, spread] = [column(0), column(1)];
  const unguided = div(sub(x, mul(spread, epsilon)), signal);
  const gap = mul(column(3), sub(guide, unguided));
  const x0 = add(unguided, gap);
  const guided = sub(epsilon, mul(div(signal, spread), gap));
  const mean = add(mul(column(2), x0), mul(column(5), guided));
  return { xPrevious: noise ? add(mean, mul(column(4), noise)) : mean, x0 };
}
