/** Norms of each token or each image, whatever the batch. */
import { instanceNorm, layerNorm, rmsNorm, type Tensor } from "@ddad/tensor";
import { allOnes, allZeros } from "../init.ts";
import { Module } from "../module.ts";
import { type Parameter, parameter } from "../parameter.ts";

/** Options of `LayerNorm`. */
export interface LayerNormLayerOptions {
  /** Default 1e-5. */
  readonly epsilon?: number;
  /** Whether there are a weight and a bias (PyTorch's elementwise_affine). Default true. */
  readonly affine?: boolean;
  /** Whether there is a bias beside the weight. Default true. */
  readonly bias?: boolean;
}

/** Normalises the last axes to mean 0 and variance 1 (Ba et al. 2016). */
export class LayerNorm extends Module {
  /** Of the normalised axes' extents. */
  readonly weight: Parameter | undefined;
  /** The same. */
  readonly bias: Parameter | undefined;
  readonly epsilon: number;
  readonly #axes: readonly number[];

  /** @param shape extents of the axes that are normalised, the last ones; a number is the last one's */
  constructor(shape: number | readonly number[], options: LayerNormLayerOptions = {}) {
    super();
    const { epsilon = 1e-5, affine = true, bias = true } = options;
    const extents = typeof shape === "number" ? [shape] : shape;
    this.weight = affine ? parameter(extents, { init: allOnes }) : undefined;
    this.bias = affine && bias ? parameter(extents, { init: allZeros }) : undefined;
    this.epsilon = epsilon;
    this.#axes = extents.map((_, k) => k - extents.length);
  }

  /** x [..., ...shape] → the same shape */
  forward(x: Tensor): Tensor {
    const { weight, bias, epsilon } = this;
    return layerNorm(x, { weight, bias, epsilon, axes: this.#axes });
  }
}

/** Options of `RMSNorm`. */
export interface RMSNormLayerOptions {
  /** Default 2⁻²³, the distance between 1 and the next f32, as PyTorch's. */
  readonly epsilon?: number;
  /** Whether there is a weight (PyTorch's elementwise_affine). Default true. */
  readonly affine?: boolean;
}

/** Divides the last axis by its root mean square (Zhang and Sennrich 2019). */
export class RMSNorm extends Module {
  /** [channels] */
  readonly weight: Parameter | undefined;
  readonly epsilon: number;

  constructor(channels: number, { epsilon = 2 ** -23, affine = true }: RMSNormLayerOptions = {}) {
    super();
    this.weight = affine ? parameter([channels], { init: allOnes }) : undefined;
    this.epsilon = epsilon;
  }

  /** x [..., channels] → the same shape */
  forward(x: Tensor): Tensor {
    const { weight, epsilon } = this;
    return rmsNorm(x, { weight, epsilon });
  }
}

/** Options of `InstanceNorm2d`. */
export interface InstanceNorm2dOptions {
  /** Default 1e-5. */
  readonly epsilon?: number;
  /** Whether there are a weight and a bias. Default false, as PyTorch's. */
  readonly affine?: boolean;
}

/** Normalises each channel of each image to mean 0 and variance 1 over its pixels (Ulyanov et al. 2016). */
export class InstanceNorm2d extends Module {
  /** [channels] */
  readonly weight: Parameter | undefined;
  /** [channels] */
  readonly bias: Parameter | undefined;
  readonly epsilon: number;

  constructor(channels: number, { epsilon = 1e-5, affine = false }: InstanceNorm2dOptions = {}) {
    super();
    this.weight = affine ? parameter([channels], { init: allOnes }) : undefined;
    this.bias = affine ? parameter([channels], { init: allZeros }) : undefined;
    this.epsilon = epsilon;
  }

  /** x [N, H, W, channels] → the same shape */
  forward(x: Tensor): Tensor {
    const { weight, bias, epsilon } = this;
    return instanceNorm(x, { weight, bias, epsilon });
  }
}
