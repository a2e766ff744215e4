import { linear, type Tensor } from "@ddad/tensor";
import { checkOptions } from "@ddad/tensor/internal";
import { checkChannels, checkSizes } from "../arguments.ts";
import type { HostRandom } from "../hostRandom.ts";
import { fanInUniform, type Initializer } from "../init.ts";
import { Module } from "../module.ts";
import { castLike, type Parameter, parameter } from "../parameter.ts";
import type { Layout } from "../stateDict.ts";

/** Options of `Linear`. */
export interface LinearLayerOptions {
  /** Default true. */
  readonly bias?: boolean;
  /** Initial weights; default U(±1/√inputs). */
  readonly init?: Initializer;
  /** Initial biases; default U(±1/√inputs). */
  readonly initBias?: Initializer;
  /** `conv1d`: state dicts hold the weight as that of a convolution of size 1, [outputs, inputs, 1]. */
  readonly layout?: Extract<Layout, "linear" | "conv1d">;
  /** Where initial values come from; default the stream that `setSeed` starts. */
  readonly random?: HostRandom | undefined;
}

/** y = x W + b along the last axis. */
export class Linear extends Module {
  /** [inputs, outputs] */
  weight: Parameter;
  /** [outputs] */
  readonly bias: Parameter | undefined;

  /** @throws RangeError where a size is not a whole number, UsageError for an unknown option */
  constructor(inputs: number, outputs: number, options: LinearLayerOptions = {}) {
    super();
    checkOptions("Linear", options, ["bias", "init", "initBias", "layout", "random"]);
    checkSizes("Linear", { inputs, outputs });
    const { bias = true, init = fanInUniform, initBias = fanInUniform, layout = "linear", random } = options;
    const fan = { in: inputs, out: outputs };
    this.weight = parameter([inputs, outputs], { init, fan, layout, random });
    this.bias = bias ? parameter([outputs], { init: initBias, fan, random }) : undefined;
  }

  /** x [..., inputs] → [..., outputs]. Throws ShapeError for another number of features. */
  forward(x: Tensor): Tensor {
    checkChannels("Linear", x, this.weight.shape[0]!, undefined, "features along its last axis,");
    return linear(x, castLike(this.weight, x), this.bias);
  }
}
