import { convTranspose2d, type PaddingOption, type PerSide, type Tensor } from "@ddad/tensor";
import { checkOptions } from "@ddad/tensor/internal";
import { checkChannels } from "../arguments.ts";
import type { HostRandom } from "../hostRandom.ts";
import { fanInUniform, type Initializer } from "../init.ts";
import { Module } from "../module.ts";
import { castLike, type Parameter, parameter } from "../parameter.ts";
import { checkConvolution, convolutionOptions } from "./groups.ts";

/** Options of `ConvTranspose2d`. */
export interface ConvTranspose2dLayerOptions {
  /** Pixels between what neighbouring pixels of x are spread over. Default 1. */
  readonly stride?: PerSide;
  /** Pixels that are cut off the result's sides. Default 0. */
  readonly padding?: PaddingOption;
  /** Pixels that the result has in addition, below and on the right. Default 0. */
  readonly outputPadding?: PerSide;
  /** Pixels between the taps of a window. Default 1. */
  readonly dilation?: PerSide;
  /** Channels are cut into so many groups, each on its own. Default 1. */
  readonly groups?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Initial weights; default U(±1/√fan), the fan PyTorch's: kernel positions times outputs of a group. */
  readonly init?: Initializer;
  /** Initial biases; the same default. */
  readonly initBias?: Initializer;
  /** Where initial values come from; default the stream that `setSeed` starts. */
  readonly random?: HostRandom | undefined;
}

/** Transposed convolution of images: spreads each pixel over a window. */
export class ConvTranspose2d extends Module {
  /** [KH, KW, outputs / groups, inputs] */
  readonly weight: Parameter;
  /** [outputs] */
  readonly bias: Parameter | undefined;
  /** Pixels between what neighbouring pixels of x are spread over. */
  readonly stride: PerSide;
  /** Pixels that are cut off the result's sides. */
  readonly padding: PaddingOption;
  /** Pixels that the result has in addition, below and on the right. */
  readonly outputPadding: PerSide;
  /** Pixels between the taps of a window. */
  readonly dilation: PerSide;
  /** Groups of channels, each on its own. */
  readonly groups: number;

  /** @throws RangeError where a size is not a whole number or groups does not divide the channels, UsageError for an unknown option */
  constructor(
    inputs: number,
    outputs: number,
    kernelSize: PerSide,
    options: ConvTranspose2dLayerOptions = {},
  ) {
    super();
    checkOptions("ConvTranspose2d", options, [...convolutionOptions, "outputPadding"]);
    const { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1 } = options;
    const { bias = true, init = fanInUniform, initBias = fanInUniform, random } = options;
    const [sides, margins] = [
      { kernelSize, stride, dilation },
      { padding, outputPadding },
    ];
    checkConvolution("ConvTranspose2d", 2, { inputs, outputs, groups, sides, margins });
    const [height, width] = typeof kernelSize === "number" ? [kernelSize, kernelSize] : kernelSize;
    // As PyTorch, which reads the fan off the weight's second axis.
    const fan = { in: (height * width * outputs) / groups, out: height * width * inputs };
    const shape = [height, width, outputs / groups, inputs];
    this.weight = parameter(shape, { init, fan, layout: "conv2d", random });
    this.bias = bias ? parameter([outputs], { init: initBias, fan, random }) : undefined;
    this.stride = stride;
    this.padding = padding;
    this.outputPadding = outputPadding;
    this.dilation = dilation;
    this.groups = groups;
  }

  /** x [N, H, W, inputs] → [N, H', W', outputs]. Throws ShapeError for another number of channels. */
  forward(x: Tensor): Tensor {
    const { stride, padding, outputPadding, dilation, groups, bias } = this;
    checkChannels("ConvTranspose2d", x, this.weight.shape[3]!, 4);
    const options = { stride, padding, outputPadding, dilation, groups, bias };
    return convTranspose2d(x, castLike(this.weight, x), options).cast(x.dtype);
  }
}
