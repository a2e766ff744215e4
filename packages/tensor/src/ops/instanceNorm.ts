import { ShapeError, show } from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import { constant } from "../create.ts";
import { checkOptions } from "../options.ts";
import type { Tensor } from "../tensor.ts";
import { cast } from "./elementwise.ts";
import { groupNorm } from "./groupNorm.ts";

/** Scale, shift and ε of `instanceNorm`. */
export interface InstanceNormOptions {
  /** [C]. Default: ones. */
  readonly weight?: Tensor | undefined;
  /** [C]. Default: zeros. */
  readonly bias?: Tensor | undefined;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

/**
 * Instance normalisation (Ulyanov et al. 2016): each channel of each image of x [N, …, C] by its mean and biased variance over the
 * pixels. It is group norm's kernel with a group for each channel.
 */
export function instanceNorm(x: Tensor, options: InstanceNormOptions = {}): Tensor {
  const {
    weight,
    bias,
    epsilon = 1e-5,
  } = checkOptions("instanceNorm", options, ["weight", "bias", "epsilon"]);
  checkTensor("instanceNorm", "x", x);
  if (x.shape.length < 3)
    throw new ShapeError(
      `instanceNorm: x must be [N, …, C] with at least three axes but is ${show(x.shape)}.`,
    );
  const channels = x.shape.at(-1)!;
  const perChannel = (given: Tensor | undefined, value: number): Tensor =>
    given ? cast(given, "f32") : constant(value, [channels]);
  return groupNorm(x, {
    groups: Math.max(1, channels),
    weight: perChannel(weight, 1),
    bias: perChannel(bias, 0),
    epsilon,
  });
}
