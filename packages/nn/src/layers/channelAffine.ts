import type { Tensor } from "@ddad/tensor";
import { checkChannels, checkSizes } from "../arguments.ts";
import { allOnes, allZeros } from "../init.ts";
import { Module } from "../module.ts";
import { type Parameter, parameter } from "../parameter.ts";

/** Scales and shifts each channel: a batch norm with fixed statistics. */
export class ChannelAffine extends Module {
  /** [channels] */
  readonly weight: Parameter;
  /** [channels] */
  readonly bias: Parameter;

  /** @param channels extent of the last axis */
  constructor(channels: number) {
    super();
    checkSizes("ChannelAffine", { channels });
    this.weight = parameter([channels], { init: allOnes });
    this.bias = parameter([channels], { init: allZeros });
  }

  /** x [..., channels] → the same shape */
  forward(x: Tensor): Tensor {
    checkChannels("ChannelAffine", x, this.weight.size);
    return x.mul(this.weight).add(this.bias);
  }
}
