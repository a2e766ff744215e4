import { ShapeError, show } from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import { checkOptions } from "../options.ts";
import type { Tensor } from "../tensor.ts";
import { conv2d, convolutionOptions } from "./conv2d.ts";
import { reshape } from "./reshape.ts";

/** Options of `conv1d`. */
export interface Conv1dOptions {
  /** [Cout], f32. */
  readonly bias?: Tensor | undefined;
  /** Elements between windows. Default 1. */
  readonly stride?: number;
  /** Zeros on both ends, or [left, right]. Default 0. */
  readonly padding?: number | readonly [left: number, right: number];
  /** Elements between the taps of a window. Default 1. */
  readonly dilation?: number;
  /** Channels in and out are cut into so many groups, each convolved on its own. Default 1. */
  readonly groups?: number;
}

/**
 * Convolution (cross-correlation) of x [N, L, Cin] with weight [K, Cin / groups, Cout] → [N, OL, Cout]: `conv2d` of images
 * with one row.
 */
export function conv1d(x: Tensor, weight: Tensor, options: Conv1dOptions = {}): Tensor {
  const {
    bias,
    stride = 1,
    padding = 0,
    dilation = 1,
    groups = 1,
  } = checkOptions("conv1d", options, convolutionOptions);
  for (const [name, tensor] of Object.entries({ x, weight })) {
    checkTensor("conv1d", name, tensor);
    const { shape } = tensor;
    if (shape.length !== 3) throw new ShapeError(`conv1d: ${name} must have 3 axes but is ${show(shape)}.`);
  }
  const [left, right] = typeof padding === "number" ? [padding, padding] : padding;
  const row = ([first, ...others]: readonly number[]): number[] => [first!, 1, ...others];
  const y = conv2d(reshape(x, row(x.shape)), reshape(weight, [1, ...weight.shape]), {
    bias,
    stride: [1, stride],
    padding: [0, left, 0, right],
    dilation: [1, dilation],
    groups,
  });
  return reshape(y, [y.shape[0]!, y.shape[2]!, y.shape[3]!]);
}
