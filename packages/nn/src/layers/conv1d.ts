import { conv1d, type Tensor } from "@ddad/tensor";
import type { HostRandom } from "../hostRandom.ts";
import { fanInUniform, type Initializer } from "../init.ts";
import { Module } from "../module.ts";
import { castLike, type Parameter, parameter } from "../parameter.ts";
import { checkGroups } from "./groups.ts";

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
  readonly random?: HostRandom | undefined;
}

/** Convolution (cross-correlation) of sequences. */
export class Conv1d extends Module {
  /** [K, inputs / groups, outputs] */
  readonly weight: Parameter;
  /** [outputs] */
  readonly bias: Parameter | undefined;
  readonly stride: number;
  readonly padding: number | readonly [left: number, right: number];
  readonly dilation: number;
  readonly groups: number;

  /** @throws RangeError where groups does not divide the channels */
  constructor(inputs: number, outputs: number, kernelSize: number, options: Conv1dLayerOptions = {}) {
    super();
    const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true, random } = options;
    const { init = fanInUniform, initBias = fanInUniform } = options;
    checkGroups("Conv1d", groups, inputs, outputs);
    const fan = { in: (kernelSize * inputs) / groups, out: (kernelSize * outputs) / groups };
    const shape = [kernelSize, inputs / groups, outputs];
    this.weight = parameter(shape, { init, fan, layout: "conv2d", random });
    this.bias = bias ? parameter([outputs], { init: initBias, fan, random }) : undefined;
    this.stride = stride;
    this.padding = padding;
    this.dilation = dilation;
    this.groups = groups;
  }

  /** x [N, L, inputs] → [N, L', outputs] */
  forward(x: Tensor): Tensor {
    const { stride, padding, dilation, groups, bias } = this;
    return conv1d(x, castLike(this.weight, x), { stride, padding, dilation, groups, bias });
  }
}
