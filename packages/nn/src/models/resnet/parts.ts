/** Makes the layers of a ResNet, and records for folding which norm follows which convolution. */
import type { HostRandom } from "../../hostRandom.ts";
import { allZeros, kaimingNormal } from "../../init.ts";
import { BatchNorm2d } from "../../layers/batchNorm2d.ts";
import { ChannelAffine } from "../../layers/channelAffine.ts";
import { Conv2d } from "../../layers/conv2d.ts";
import type { ConvolutionPlan } from "./options.ts";

/** Batch norm or, in a folded network, its scale and shift. */
export type Norm = BatchNorm2d | ChannelAffine;

/** A convolution and the norm over its output, which a folded network does without. */
export interface NormedConvolution {
  readonly convolution: Conv2d;
  readonly norm: BatchNorm2d | undefined;
}

export interface PartsOptions {
  readonly foldedBatchNorm: boolean;
  readonly init: "random" | "zeros";
  readonly random: HostRandom;
}

/** Two networks of one plan, folded or not, list their layers here in the same order. */
export class Parts {
  readonly normed: NormedConvolution[] = [];
  readonly convolutions: Conv2d[] = [];
  readonly norms: Norm[] = [];
  readonly #options: PartsOptions;

  constructor(options: PartsOptions) {
    this.#options = options;
  }

  /** A convolution whose output goes to a norm and nowhere else. */
  normedConvolution(plan: ConvolutionPlan): NormedConvolution {
    const { foldedBatchNorm: folded } = this.#options;
    const pair = {
      convolution: this.#convolution(plan, folded),
      norm: folded ? undefined : new BatchNorm2d(plan.outputs),
    };
    this.normed.push(pair);
    return pair;
  }

  /** A convolution without a norm over its output. */
  convolution(plan: ConvolutionPlan): Conv2d {
    const convolution = this.#convolution(plan, false);
    this.convolutions.push(convolution);
    return convolution;
  }

  /** A norm over something that is not the output of a convolution alone. */
  norm(channels: number): Norm {
    const norm = this.#options.foldedBatchNorm ? new ChannelAffine(channels) : new BatchNorm2d(channels);
    this.norms.push(norm);
    return norm;
  }

  #convolution({ inputs, outputs, kernelSize, stride }: ConvolutionPlan, bias: boolean): Conv2d {
    const { init, random } = this.#options;
    return new Conv2d(inputs, outputs, kernelSize, {
      stride,
      padding: (kernelSize - 1) / 2,
      bias,
      init: init === "zeros" ? allZeros : kaimingNormal("out"), // as torchvision
      initBias: allZeros,
      random,
    });
  }
}
