import { groupNorm, type Tensor } from "@ddad/tensor";
import { checkOptions } from "@ddad/tensor/internal";
import { checkChannels, checkNumbers, checkSizes } from "../arguments.ts";
import { allOnes, allZeros } from "../init.ts";
import { Module } from "../module.ts";
import { type Parameter, parameter } from "../parameter.ts";

/** Options of `GroupNorm`. */
export interface GroupNormLayerOptions {
  /** Default 1e-5. */
  readonly epsilon?: number;
  /** Applied to the result in the same kernel. Default "none". */
  readonly activation?: "none" | "silu";
}

/** Normalises each image's groups of channels to mean 0 and variance 1 (Wu and He, ECCV 2018). */
export class GroupNorm extends Module {
  /** [channels] */
  readonly weight: Parameter;
  /** [channels] */
  readonly bias: Parameter;
  /** Groups of channels with a mean and a variance each. */
  readonly groups: number;
  /** Added to the variance. */
  readonly epsilon: number;
  /** Applied to the result. */
  readonly activation: "none" | "silu";

  /** @throws RangeError where a number is out of range, UsageError for an unknown option */
  constructor(groups: number, channels: number, options: GroupNormLayerOptions = {}) {
    super();
    checkOptions("GroupNorm", options, ["epsilon", "activation"]);
    const { epsilon = 1e-5, activation = "none" } = options;
    checkSizes("GroupNorm", { groups, channels });
    checkNumbers("GroupNorm", { epsilon });
    if (channels % groups)
      throw new RangeError(`GroupNorm: groups must divide channels (${channels}), but is ${groups}.`);
    this.weight = parameter([channels], { init: allOnes });
    this.bias = parameter([channels], { init: allZeros });
    this.groups = groups;
    this.epsilon = epsilon;
    this.activation = activation;
  }

  /** x [N, …, channels] → the same shape */
  forward(x: Tensor): Tensor {
    const { groups, weight, bias, epsilon, activation } = this;
    checkChannels("GroupNorm", x, weight.size);
    return groupNorm(x, { groups, weight, bias, epsilon, activation });
  }
}
