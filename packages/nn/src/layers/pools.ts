/** Poolings of images as layers, under PyTorch's names. */
import {
  type AveragePoolOptions,
  adaptiveAveragePool,
  adaptiveMaxPool,
  averagePool,
  type MaxPoolOptions,
  maxPool,
  type PerSide,
  type Tensor,
} from "@ddad/tensor";
import { Module } from "../module.ts";

/** Largest element of each window. */
export class MaxPool2d extends Module {
  readonly options: MaxPoolOptions;

  /** @param options stride (default: the kernel's size), padding, dilation, ceilMode */
  constructor(kernelSize: PerSide, options: Omit<MaxPoolOptions, "kernelSize"> = {}) {
    super();
    this.options = { kernelSize, ...options };
  }

  /** x [N, H, W, C] → [N, H', W', C] */
  forward(x: Tensor): Tensor {
    return maxPool(x, this.options);
  }
}

/** Mean of each window. */
export class AvgPool2d extends Module {
  readonly options: AveragePoolOptions;

  /** @param options stride (default: the kernel's size), padding, ceilMode, countIncludePad */
  constructor(kernelSize: PerSide, options: Omit<AveragePoolOptions, "kernelSize"> = {}) {
    super();
    this.options = { kernelSize, ...options };
  }

  /** x [N, H, W, C] → [N, H', W', C] */
  forward(x: Tensor): Tensor {
    return averagePool(x, this.options);
  }
}

/** Means of as many windows as the result has pixels, whatever the size of the image. */
export class AdaptiveAvgPool2d extends Module {
  readonly size: PerSide;

  constructor(size: PerSide) {
    super();
    this.size = size;
  }

  /** x [N, H, W, C] → [N, ...size, C] */
  forward(x: Tensor): Tensor {
    return adaptiveAveragePool(x, this.size);
  }
}

/** Largest elements of the windows of `AdaptiveAvgPool2d`. */
export class AdaptiveMaxPool2d extends Module {
  readonly size: PerSide;

  constructor(size: PerSide) {
    super();
    this.size = size;
  }

  /** x [N, H, W, C] → [N, ...size, C] */
  forward(x: Tensor): Tensor {
    return adaptiveMaxPool(x, this.size);
  }
}
