import { attentionPacked, type Tensor } from "@ddad/tensor";
import { checkOptions } from "@ddad/tensor/internal";
import { checkChannels, checkSizes } from "../../arguments.ts";
import type { HostRandom } from "../../hostRandom.ts";
import { allZeros } from "../../init.ts";
import { GroupNorm } from "../../layers/groupNorm.ts";
import { Linear } from "../../layers/linear.ts";
import { Module } from "../../module.ts";

/** Sizes of an `AttentionBlock`. */
export interface AttentionBlockOptions {
  /** Of input and output, a multiple of 32. */
  readonly channels: number;
  /** Must divide `channels`. */
  readonly heads: number;
  /** Where initial values come from; default the stream that `setSeed` starts. */
  readonly random?: HostRandom | undefined;
}

/**
 * Self-attention over all pixels with a residual, as the published UNet has it: the projection to 3·channels holds
 * q, k, v of the first head, then of the second, and so on. The last projection starts at zero.
 */
export class AttentionBlock extends Module {
  /** Over 32 groups of channels. */
  readonly norm: GroupNorm;
  /** To queries, keys and values, [C, 3 · C]; head by head. */
  readonly toQkv: Linear;
  /** [C, C], zero at the start. */
  readonly projOut: Linear;
  /** Number of heads; each has C / heads channels. */
  readonly heads: number;

  /** @throws RangeError where a size is not a whole number or `heads` does not divide `channels`, UsageError for an unknown option */
  constructor(options: AttentionBlockOptions) {
    super();
    const { channels, heads, random } = checkOptions("AttentionBlock", options, [
      "channels",
      "heads",
      "random",
    ]);
    checkSizes("AttentionBlock", { channels, heads });
    if (channels % heads !== 0) {
      throw new RangeError(`AttentionBlock: ${heads} heads do not divide ${channels} channels.`);
    }
    this.norm = new GroupNorm(32, channels);
    this.toQkv = new Linear(channels, 3 * channels, { layout: "conv1d", random });
    this.projOut = new Linear(channels, channels, { layout: "conv1d", init: allZeros, initBias: allZeros });
    this.heads = heads;
  }

  /** x [N, H, W, C] → the same shape */
  forward(x: Tensor): Tensor {
    checkChannels("AttentionBlock", x, this.toQkv.weight.shape[0]!, 4);
    const [n, height, width, channels] = x.shape as [number, number, number, number];
    const tokens = height * width;
    const depth = channels / this.heads;
    const normed = this.norm.forward(x).reshape([n, tokens, channels]);
    const qkv = this.toQkv.forward(normed).reshape([n, tokens, this.heads, 3 * depth]);
    // The published code scales q and k by depth^(-1/4) each.
    const mixed = attentionPacked(qkv, { scale: 1 / Math.sqrt(depth) });
    return x.add(this.projOut.forward(mixed.reshape([n, tokens, channels])).reshape(x.shape));
  }
}
