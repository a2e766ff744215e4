import type { RandomStream, Tensor } from "@ddad/tensor";
import { checkOptions, checkTensor } from "@ddad/tensor/internal";
import type { HostRandom } from "../../hostRandom.ts";
import { allZeros } from "../../init.ts";
import { Conv2d } from "../../layers/conv2d.ts";
import { Dropout } from "../../layers/dropout.ts";
import { GroupNorm } from "../../layers/groupNorm.ts";
import { Linear } from "../../layers/linear.ts";
import { Downsample, Upsample } from "../../layers/resample.ts";
import { Module } from "../../module.ts";

/** Sizes of a `ResidualBlock`. */
export interface ResidualBlockOptions {
  /** Channels of x, a multiple of 32. */
  readonly inputs: number;
  /** Channels of the result, a multiple of 32. */
  readonly outputs: number;
  /** Features of the time embedding. */
  readonly timeFeatures: number;
  /** Probability that an element becomes zero in training. */
  readonly dropout: number;
  /** Halves or doubles height and width, on the residual and the direct path alike. */
  readonly resample?: "down" | "up";
  /** Where initial values come from; default the stream that `setSeed` starts. */
  readonly random?: HostRandom | undefined;
}

/**
 * norm, SiLU, conv 3×3, + time; norm, SiLU, dropout, conv 3×3; + the input (through a 1×1 convolution where the number
 * of channels changes). Resampling sits between the first SiLU and its convolution (Brock et al., "BigGAN", 2019;
 * Dhariwal and Nichol 2021). The second convolution starts at zero.
 */
export class ResidualBlock extends Module {
  override readonly torchNames = {
    norm1: "in_layers.0",
    conv1: "in_layers.2",
    timeProjection: "embed_layers.1",
    norm2: "out_layers.0",
    conv2: "out_layers.3",
    skip: "skip_connection",
  };
  /** Over 32 groups of the inputs, with SiLU. */
  readonly norm1: GroupNorm;
  /** 3×3, from inputs to outputs. */
  readonly conv1: Conv2d;
  /** From the time embedding to a shift of each output channel. */
  readonly timeProjection: Linear;
  /** Over 32 groups of the outputs, with SiLU. */
  readonly norm2: GroupNorm;
  /** 3×3, outputs to outputs, zero at the start. */
  readonly conv2: Conv2d;
  /** 1×1 on the direct path; undefined where inputs and outputs are equally many. */
  readonly skip: Conv2d | undefined;
  /** In front of the second convolution. */
  readonly dropout: Dropout;
  /** On both paths; undefined where the size stays. */
  readonly resample: Upsample | Downsample | undefined;

  /** Both numbers of channels must be multiples of 32. Throws UsageError for an unknown option. */
  constructor(options: ResidualBlockOptions) {
    super();
    const known = ["inputs", "outputs", "timeFeatures", "dropout", "resample", "random"] as const;
    const { inputs, outputs, timeFeatures, dropout, resample, random } = checkOptions(
      "ResidualBlock",
      options,
      known,
    );
    const zeros = { init: allZeros, initBias: allZeros };
    this.norm1 = new GroupNorm(32, inputs, { activation: "silu" });
    this.conv1 = new Conv2d(inputs, outputs, 3, { padding: 1, random });
    this.timeProjection = new Linear(timeFeatures, outputs, { random });
    this.norm2 = new GroupNorm(32, outputs, { activation: "silu" });
    this.conv2 = new Conv2d(outputs, outputs, 3, { padding: 1, ...zeros });
    this.skip = inputs === outputs ? undefined : new Conv2d(inputs, outputs, 1, { random });
    this.dropout = new Dropout(dropout);
    this.resample = resample && (resample === "up" ? new Upsample() : new Downsample());
  }

  /**
   * @param x [N, H, W, inputs]
   * @param time [N, 1, 1, timeFeatures], activated
   * @returns [N, H', W', outputs]
   */
  forward(x: Tensor, time: Tensor, random?: RandomStream): Tensor {
    checkTensor("ResidualBlock", "x", x);
    const resized = (value: Tensor): Tensor => this.resample?.forward(value) ?? value;
    const shift = this.timeProjection.forward(time).cast(x.dtype);
    const h = this.conv1.forward(resized(this.norm1.forward(x))).add(shift);
    const residual = this.conv2.forward(this.dropout.forward(this.norm2.forward(h), random));
    const direct = resized(x);
    return (this.skip?.forward(direct) ?? direct).add(residual);
  }
}
