/** Pooling over windows of images [N, H, W, C]. */
import {
  type AveragePoolAttrs,
  averagePoolGradient,
  averagePool as averagePoolKernel,
  type MaxPoolAttrs,
  maxPoolGather,
  maxPoolGradient,
  maxPool as maxPoolKernel,
  type Padding,
} from "@ddad/kernels-wgsl";
import { checkOptions } from "../options.ts";
import { record, zeroGradient } from "../record.ts";
import type { Tensor } from "../tensor.ts";
import { fourSides, oneOrBoth, type PaddingOption, type PerSide } from "./sides.ts";

/** Windows of a pooling, in pixels. */
export interface PoolOptions {
  /** Pixels that a window spans: a number or [height, width]. */
  readonly kernelSize: PerSide;
  /** Distance between windows. Default: `kernelSize`. */
  readonly stride?: PerSide;
  /** Pixels around the image, fewer than a window spans. Default 0. */
  readonly padding?: PaddingOption;
  /** Round the output's size up, so that a last window may reach past the image. Default false. */
  readonly ceilMode?: boolean;
}

/** Windows of `averagePool`, in pixels. */
export interface AveragePoolOptions extends PoolOptions {
  /** Whether pixels of the padding count as zeros, or not at all. Default true. */
  readonly countIncludePad?: boolean;
}

/** Windows of `maxPool`, in pixels. */
export interface MaxPoolOptions extends PoolOptions {
  /** Distance between the taps of a window. Default 1. */
  readonly dilation?: PerSide;
}

const windowNames = ["kernelSize", "stride", "padding", "ceilMode"] as const;

/** The options as the kernels take them, normalised so that equal calls share a program. */
function windowsOf(
  op: string,
  { kernelSize, stride = kernelSize, padding = 0, ceilMode = false }: PoolOptions,
) {
  const sides = fourSides(op, padding);
  return {
    kernelSize: oneOrBoth(op, "kernelSize", kernelSize),
    stride: oneOrBoth(op, "stride", stride),
    padding: sides.every((extent) => extent === sides[0]) ? sides[0] : (sides as Padding),
    ...(ceilMode && { ceilMode }),
  };
}

/**
 * Mean of each window: x [N, H, W, C] → [N, OH, OW, C], where OH = ⌊(H + padding above and below − KH) / stride⌋ + 1, and OW
 * likewise. Throws ShapeError where windows and padding do not fit the image.
 */
export function averagePool(x: Tensor, options: AveragePoolOptions): Tensor {
  checkOptions("averagePool", options, [...windowNames, "countIncludePad"], "{ kernelSize: 2 }");
  const { countIncludePad = true } = options;
  return average(x, { ...windowsOf("averagePool", options), ...(!countIncludePad && { countIncludePad }) });
}

/** The mean by a kernel's attributes. */
export const average = (x: Tensor, attrs: AveragePoolAttrs): Tensor =>
  record(averagePoolKernel, { x }, attrs, {
    x: ({ y }) => averageBack(y, [x.shape[1]!, x.shape[2]!], attrs),
  }).y;

/** The adjoint, of which the adjoint is the mean again. */
const averageBack = (
  gradient: Tensor,
  inputSize: readonly [height: number, width: number],
  attrs: AveragePoolAttrs,
): Tensor =>
  record(
    averagePoolGradient,
    { gradient },
    { ...attrs, inputSize },
    { gradient: ({ xGradient }) => average(xGradient, attrs) },
  ).xGradient;

/**
 * Largest element of each window: x [N, H, W, C] → [N, OH, OW, C], where OH = ⌊(H + padding above and below − dilation · (KH − 1) − 1)
 * / stride⌋ + 1, and OW likewise. Padding never wins, NaN always does; among equals the first one takes the gradient. Throws
 * ShapeError where windows and padding do not fit the image.
 */
export function maxPool(x: Tensor, options: MaxPoolOptions): Tensor {
  checkOptions("maxPool", options, [...windowNames, "dilation"], "{ kernelSize: 2 }");
  const dilation = oneOrBoth("maxPool", "dilation", options.dilation ?? 1);
  return maximumOf(x, { ...windowsOf("maxPool", options), ...(dilation !== 1 && { dilation }) });
}

/** The maximum by a kernel's attributes. */
export const maximumOf = (x: Tensor, attrs: MaxPoolAttrs): Tensor =>
  record(maxPoolKernel, { x }, attrs, { x: ({ y }) => scatterToWinners(x, y, attrs) }).y;

/** Gives the gradient of each window to the pixel of x that won it. Which one that is does not change with x. */
const scatterToWinners = (x: Tensor, gradient: Tensor, attrs: MaxPoolAttrs): Tensor =>
  record(maxPoolGradient, { x, gradient }, attrs, {
    x: zeroGradient,
    gradient: ({ xGradient }) => gatherFromWinners(x, xGradient, attrs),
  }).xGradient;

/** What `values` has where x won each window: the adjoint of the above. */
const gatherFromWinners = (x: Tensor, values: Tensor, attrs: MaxPoolAttrs): Tensor =>
  record(maxPoolGather, { x, values }, attrs, {
    x: zeroGradient,
    values: ({ y }) => scatterToWinners(x, y, attrs),
  }).y;
