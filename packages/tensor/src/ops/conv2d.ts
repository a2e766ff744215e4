import type { Conv2dAttrs } from "@ddad/kernels-wgsl";
import { checkOptions } from "../options.ts";
import type { Tensor } from "../tensor.ts";
import { convolve } from "./convolution.ts";
import { fourSides, oneOrBoth, type PaddingOption, type PerSide } from "./sides.ts";

/** Options of `conv2d`. */
export interface Conv2dOptions {
  /** [Cout], f32. */
  readonly bias?: Tensor | undefined;
  /** Pixels between windows. Default 1. */
  readonly stride?: PerSide;
  /** Zeros around the image. Default 0. */
  readonly padding?: PaddingOption;
  /** Pixels between the taps of a window. Default 1. */
  readonly dilation?: PerSide;
  /** Channels in and out are cut into so many groups, each convolved on its own. Default 1. */
  readonly groups?: number;
}

/** Names of the options of convolutions. */
export const convolutionOptions = ["bias", "stride", "padding", "dilation", "groups"] as const;

/** The options as the kernels take them, normalised so that equal calls share a program. */
export const conv2dAttrs = (
  op: string,
  { stride = 1, padding = 0, dilation = 1, groups = 1 }: Omit<Conv2dOptions, "bias">,
): Conv2dAttrs => {
  const apart = oneOrBoth(op, "dilation", dilation);
  return {
    stride: oneOrBoth(op, "stride", stride),
    padding: fourSides(op, padding),
    ...(apart !== 1 && { dilation: apart }),
    ...(groups !== 1 && { groups }),
  };
};

/**
 * Convolution (cross-correlation) of x [N, H, W, Cin] with weight [KH, KW, Cin / groups, Cout] → [N, OH, OW, Cout], where
 * OH = ⌊(H + padding above and below − dilation · (KH − 1) − 1) / stride⌋ + 1, and OW likewise. With as many groups as
 * channels it is depthwise. Throws ShapeError where shapes and options do not fit together.
 */
export const conv2d = (x: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor => {
  checkOptions("conv2d", options, convolutionOptions);
  return convolve(x, weight, conv2dAttrs("conv2d", options), options.bias);
};
