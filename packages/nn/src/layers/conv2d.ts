import { conv2d, type PaddingOption, type PerSide, type Tensor } from "@ddad/tensor";
import { checkOptions } from "@ddad/tensor/internal";
import { checkChannels } from "../arguments.ts";
import type { HostRandom } from "../hostRandom.ts";
import { fanInUniform, type Initializer } from "../init.ts";
import { Module } from "../module.ts";
import { castLike, type Parameter, parameter } from "../parameter.ts";
import { checkConvolution, convolutionOptions } from "./groups.ts";

/** Options of `Conv2d`. */
export interface Conv2dLayerOptions {
  /** Pixels between windows. Default 1. */
  readonly stride?: PerSide;
  /** Zeros around the image: a number, [height, width] or [top, left, bottom, right]. Default 0. */
  readonly padding?: PaddingOption;
  /** Pixels between the taps of a window. Default 1. */
  readonly dilation?: PerSide;
  /** Channels are cut into so many groups, each convolved on its own; as many as inputs: depthwise. Default 1. */
  readonly groups?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Initial weights; default U(±1/√fan_in). */
  readonly init?: Initializer;
  /** Initial biases; default U(±1/√fan_in). */
  readonly initBias?: Initializer;
  /** Where initial values come from; default the stream that `setSeed` starts. */
  readonly random?: HostRandom | undefined;
}

/** Convolution (cross-correlation) of images. */
export class Conv2d extends Module {
  /** [KH, KW, inputs / groups, outputs] */
  weight: Parameter;
  /** [outputs] */
  readonly bias: Parameter | undefined;
  /** Pixels between windows. */
  readonly stride: PerSide;
  /** Zeros around the image, in pixels. */
  readonly padding: PaddingOption;
  /** Pixels between the taps of a window. */
  readonly dilation: PerSide;
  /** Groups of channels, each convolved on its own. */
  readonly groups: number;

  /** @throws RangeError where a size is not a whole number or groups does not divide the channels, UsageError for an unknown option */
  constructor(inputs: number, outputs: number, kernelSize: PerSide, options: Conv2dLayerOptions = {}) {
    super();
    checkOptions("Conv2d", options, convolutionOptions);
    const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true, random } = options;
    const { init = fanInUniform, initBias = fanInUniform } = options;
    const sides = { kernelSize, stride, dilation };
    checkConvolution("Conv2d", 2, { inputs, outputs, groups, sides, margins: { padding } });
    const [height, width] = typeof kernelSize === "number" ? [kernelSize, kernelSize] : kernelSize;
    const fan = { in: (height * width * inputs) / groups, out: (height * width * outputs) / groups };
    const shape = [height, width, inputs / groups, outputs];
    this.weight = parameter(shape, { init, fan, layout: "conv2d", random });
    this.bias = bias ? parameter([outputs], { init: initBias, fan, random }) : undefined;
    this.stride = stride;
    this.padding = padding;
    this.dilation = dilation;
    this.groups = groups;
  }

  /** x [N, H, W, inputs] → [N, H', W', outputs]. Throws ShapeError for another number of channels. */
  forward(x: Tensor): Tensor {
    const { stride, padding, dilation, groups, bias } = this;
    checkChannels("Conv2d", x, this.weight.shape[2]! * groups, 4);
    return conv2d(x, castLike(this.weight, x), { stride, padding, dilation, groups, bias });
  }
}
