import { conv2d, type Tensor } from "@ddad/tensor";
import type { HostRandom } from "../hostRandom.ts";
import { fanInUniform, type Initializer } from "../init.ts";
import { Module } from "../module.ts";
import { castLike, type Parameter, parameter } from "../parameter.ts";

/** Options of `Conv2d`. */
export interface Conv2dLayerOptions {
  /** Default 1. */
  readonly stride?: number;
  /** Zeros on each side, or on [top, left, bottom, right]. Default 0. */
  readonly padding?: number | readonly [number, number, number, number];
  /** Default true. */
  readonly bias?: boolean;
  /** Initial weights; default U(±1/√fan_in). */
  readonly init?: Initializer;
  /** Initial biases; default U(±1/√fan_in). */
  readonly initBias?: Initializer;
  readonly random?: HostRandom | undefined;
}

/** Convolution (cross-correlation) of images. */
export class Conv2d extends Module {
  /** [KH, KW, inputs, outputs] */
  weight: Parameter;
  /** [outputs] */
  readonly bias: Parameter | undefined;
  readonly stride: number;
  readonly padding: number | readonly [number, number, number, number];

  constructor(
    inputs: number,
    outputs: number,
    kernelSize: number | readonly [number, number],
    options: Conv2dLayerOptions = {},
  ) {
    super();
    const { stride = 1, padding = 0, bias = true, random } = options;
    const { init = fanInUniform, initBias = fanInUniform } = options;
    const [height, width] = typeof kernelSize === "number" ? [kernelSize, kernelSize] : kernelSize;
    const fan = { in: height * width * inputs, out: height * width * outputs };
    this.weight = parameter([height, width, inputs, outputs], { init, fan, layout: "conv2d", random });
    this.bias = bias ? parameter([outputs], { init: initBias, fan, random }) : undefined;
    this.stride = stride;
    this.padding = padding;
  }

  /** x [N, H, W, inputs] → [N, H', W', outputs] */
  forward(x: Tensor): Tensor {
    const { stride, padding, bias } = this;
    return conv2d(x, castLike(this.weight, x), { stride, padding, ...(bias && { bias }) });
  }
}
