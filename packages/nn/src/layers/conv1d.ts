import { conv1d, type Tensor } from "@ddad/tensor";
import { checkOptions } from "@ddad/tensor/internal";
import { checkChannels } from "../arguments.ts";
import type { HostRandom } from "../hostRandom.ts";
import { fanInUniform, type Initializer } from "../init.ts";
import { Module } from "../module.ts";
import { castLike, type Parameter, parameter } from "../parameter.ts";
import { checkConvolution, convolutionOptions } from "./groups.ts";

/** Options of `Conv1d`. */
export interface Conv1dLayerOptions {
  /** Elements between windows. Default 1. */
  readonly stride?: number;
  /** Zeros on both ends, or [left, right]. Default 0. */
  readonly padding?: number | readonly [left: number, right: number];
  /** Elements between the taps of a window. Default 1. */
  readonly dilation?: number;
  /** Channels are cut into so many groups, each convolved on its own. Default 1. */
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

/** Convolution (cross-correlation) of sequences. */
export class Conv1d extends Module {
  /** [K, inputs / groups, outputs] */
  readonly weight: Parameter;
  /** [outputs] */
  readonly bias: Parameter | undefined;
  /** Elements between windows. */
  readonly stride: number;
  /** Zeros on both ends, or [left, right]. */
  readonly padding: number | readonly [left: number, right: number];
  /** Elements between the taps of a window. */
  readonly dilation: number;
  /** Groups of channels, each convolved on its own. */
  readonly groups: number;

  /** @throws RangeError where a size is not a whole number or groups does not divide the channels, UsageError for an unknown option */
  constructor(inputs: number, outputs: number, kernelSize: number, options: Conv1dLayerOptions = {}) {
    super();
    checkOptions("Conv1d", options, convolutionOptions);
    const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true, random } = options;
    const { init = fanInUniform, initBias = fanInUniform } = options;
    const sides = { kernelSize, stride, dilation };
    checkConvolution("Conv1d", 1, { inputs, outputs, groups, sides, margins: { padding } });
    const fan = { in: (kernelSize * inputs) / groups, out: (kernelSize * outputs) / groups };
    const shape = [kernelSize, inputs / groups, outputs];
    this.weight = parameter(shape, { init, fan, layout: "conv2d", random });
    this.bias = bias ? parameter([outputs], { init: initBias, fan, random }) : undefined;
    this.stride = stride;
    this.padding = padding;
    this.dilation = dilation;
    this.groups = groups;
  }

  /** x [N, L, inputs] → [N, L', outputs]. Throws ShapeError for another number of channels. */
  forward(x: Tensor): Tensor {
    const { stride, padding, dilation, groups, bias } = this;
    checkChannels("Conv1d", x, this.weight.shape[1]! * groups, 3);
    return conv1d(x, castLike(this.weight, x), { stride, padding, dilation, groups, bias });
  }
}
