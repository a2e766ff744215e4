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
import { checkOptions } from "@ddad/tensor/internal";
import { checkFloats, checkSizes } from "../arguments.ts";
import { Module } from "../module.ts";

/** Largest element of each window. */
export class MaxPool2d extends Module {
  /** Those of `maxPool`, the kernel's size included. */
  readonly options: MaxPoolOptions;

  /** @param options stride (default: the kernel's size), padding, dilation, ceilMode @throws RangeError where a number is out of range, UsageError for an unknown option */
  constructor(kernelSize: PerSide, options: Omit<MaxPoolOptions, "kernelSize"> = {}) {
    super();
    checkOptions("MaxPool2d", options, ["stride", "padding", "ceilMode", "dilation"]);
    checkSizes("MaxPool2d", { kernelSize }, 1, [2]);
    this.options = { kernelSize, ...options };
  }

  /** x [N, H, W, C] → [N, H', W', C] */
  forward(x: Tensor): Tensor {
    checkFloats("MaxPool2d", "x", x);
    return maxPool(x, this.options);
  }
}

/** Mean of each window. */
export class AvgPool2d extends Module {
  /** Those of `averagePool`, the kernel's size included. */
  readonly options: AveragePoolOptions;

  /** @param options stride (default: the kernel's size), padding, ceilMode, countIncludePad @throws RangeError where a number is out of range, UsageError for an unknown option */
  constructor(kernelSize: PerSide, options: Omit<AveragePoolOptions, "kernelSize"> = {}) {
    super();
    checkOptions("AvgPool2d", options, ["stride", "padding", "ceilMode", "countIncludePad"]);
    checkSizes("AvgPool2d", { kernelSize }, 1, [2]);
    this.options = { kernelSize, ...options };
  }

  /** x [N, H, W, C] → [N, H', W', C] */
  forward(x: Tensor): Tensor {
    checkFloats("AvgPool2d", "x", x);
    return averagePool(x, this.options);
  }
}

/** Means of as many windows as the result has pixels, whatever the size of the image. */
export class AdaptiveAvgPool2d extends Module {
  /** Height and width of the output. */
  readonly size: PerSide;

  /** @throws RangeError where the size is not one of whole numbers */
  constructor(size: PerSide) {
    super();
    checkSizes("AdaptiveAvgPool2d", { size }, 1, [2]);
    this.size = size;
  }

  /** x [N, H, W, C] → [N, ...size, C] */
  forward(x: Tensor): Tensor {
    checkFloats("AdaptiveAvgPool2d", "x", x);
    return adaptiveAveragePool(x, this.size);
  }
}

/** Largest elements of the windows of `AdaptiveAvgPool2d`. */
export class AdaptiveMaxPool2d extends Module {
  /** Height and width of the output. */
  readonly size: PerSide;

  /** @throws RangeError where the size is not one of whole numbers */
  constructor(size: PerSide) {
    super();
    checkSizes("AdaptiveMaxPool2d", { size }, 1, [2]);
    this.size = size;
  }

  /** x [N, H, W, C] → [N, ...size, C] */
  forward(x: Tensor): Tensor {
    checkFloats("AdaptiveMaxPool2d", "x", x);
    return adaptiveMaxPool(x, this.size);
  }
}
