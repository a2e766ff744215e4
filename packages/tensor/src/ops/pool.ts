/** Pooling over windows of images [N, H, W, C]. */
import {
  averagePoolGradient,
  averagePool as averagePoolKernel,
  maxPoolGradient,
  maxPool as maxPoolKernel,
} from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";

/** Windows of `averagePool`, in pixels. */
export interface PoolOptions {
  readonly kernelSize: number;
  /** Default: `kernelSize`. */
  readonly stride?: number;
  /** Pixels on every side. Default 0. */
  readonly padding?: number;
}

/** Mean of each window. Padding counts as zeros. */
export function averagePool(
  x: Tensor,
  { kernelSize, stride = kernelSize, padding = 0 }: PoolOptions,
): Tensor {
  const attrs = { kernelSize, stride, padding };
  return record(averagePoolKernel, { x }, attrs, {
    x: ({ y: gradient }) =>
      record(averagePoolGradient, { gradient }, { ...attrs, inputSize: sizeOf(x) }).xGradient,
  }).y;
}

/** Windows of `maxPool`, in pixels. */
export interface MaxPoolOptions extends PoolOptions {
  /** Round the output's size up, so that a last window may reach past the image. Default false. */
  readonly ceil?: boolean;
}

/** Largest element of each window. Padding never wins; among equals the first one takes the gradient. */
export function maxPool(x: Tensor, options: MaxPoolOptions): Tensor {
  const { kernelSize, stride = kernelSize, padding = 0, ceil = false } = options;
  const attrs = { kernelSize, stride, padding, ceil };
  return record(maxPoolKernel, { x }, attrs, {
    x: ({ y: gradient }) => record(maxPoolGradient, { x, gradient }, attrs).xGradient,
  }).y;
}

const sizeOf = (x: Tensor): [number, number] => [x.shape[1]!, x.shape[2]!];
