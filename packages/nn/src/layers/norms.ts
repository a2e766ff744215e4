/** Norms of each token or each image, whatever the batch. */
import { instanceNorm, layerNorm, rmsNorm, ShapeError, type Tensor } from "@ddad/tensor";
import { checkOptions } from "@ddad/tensor/internal";
import { checkChannels, checkFloats, checkNumbers, checkSizes } from "../arguments.ts";
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
  /** Added to the variance. */
  readonly epsilon: number;
  readonly #extents: readonly number[];

  /** @param shape extents of the axes that are normalised, the last ones; a number is the last one's @throws RangeError where a number is out of range, UsageError for an unknown option */
  constructor(shape: number | readonly number[], options: LayerNormLayerOptions = {}) {
    super();
    checkOptions("LayerNorm", options, ["epsilon", "affine", "bias"]);
    const { epsilon = 1e-5, affine = true, bias = true } = options;
    const extents = Array.isArray(shape) ? (shape as readonly number[]) : [shape as number];
    for (const extent of extents) checkSizes("LayerNorm", { shape: extent });
    checkNumbers("LayerNorm", { epsilon });
    this.weight = affine ? parameter(extents, { init: allOnes }) : undefined;
    this.bias = affine && bias ? parameter(extents, { init: allZeros }) : undefined;
    this.epsilon = epsilon;
    this.#extents = extents;
  }

  /** x [..., ...shape] → the same shape. Throws ShapeError for another shape. */
  forward(x: Tensor): Tensor {
    checkFloats("LayerNorm", "x", x);
    const { weight, bias, epsilon } = this;
    const extents = this.#extents;
    if (x.shape.slice(-extents.length).join() !== extents.join())
      throw new ShapeError(`LayerNorm: x must be […, ${extents.join(", ")}] but is [${x.shape.join(", ")}].`);
    return layerNorm(x, { weight, bias, epsilon, axes: extents.map((_, k) => k - extents.length) });
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
  /** Added to the mean of the squares. */
  readonly epsilon: number;
  readonly #channels: number;

  /** @throws RangeError where a number is out of range, UsageError for an unknown option */
  constructor(channels: number, options: RMSNormLayerOptions = {}) {
    super();
    const { epsilon = 2 ** -23, affine = true } = checkOptions("RMSNorm", options, ["epsilon", "affine"]);
    checkSizes("RMSNorm", { channels });
    checkNumbers("RMSNorm", { epsilon });
    this.weight = affine ? parameter([channels], { init: allOnes }) : undefined;
    this.epsilon = epsilon;
    this.#channels = channels;
  }

  /** x [..., channels] → the same shape. Throws ShapeError for another number of channels. */
  forward(x: Tensor): Tensor {
    checkChannels("RMSNorm", x, this.#channels);
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
  /** Added to the variance. */
  readonly epsilon: number;
  readonly #channels: number;

  /** @throws RangeError where a number is out of range, UsageError for an unknown option */
  constructor(channels: number, options: InstanceNorm2dOptions = {}) {
    super();
    const { epsilon = 1e-5, affine = false } = checkOptions("InstanceNorm2d", options, ["epsilon", "affine"]);
    checkSizes("InstanceNorm2d", { channels });
    checkNumbers("InstanceNorm2d", { epsilon });
    this.weight = affine ? parameter([channels], { init: allOnes }) : undefined;
    this.bias = affine ? parameter([channels], { init: allZeros }) : undefined;
    this.epsilon = epsilon;
    this.#channels = channels;
  }

  /** x [N, H, W, channels] → the same shape. Throws ShapeError for another number of channels. */
  forward(x: Tensor): Tensor {
    checkChannels("InstanceNorm2d", x, this.#channels);
    const { weight, bias, epsilon } = this;
    return instanceNorm(x, { weight, bias, epsilon });
  }
}
