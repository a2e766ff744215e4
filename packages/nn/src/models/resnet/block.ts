/** Residual blocks of a ResNet: two or three convolutions beside a direct path. */
import type { Tensor } from "@ddad/tensor";
import type { Conv2d } from "../../layers/conv2d.ts";
import { Module } from "../../module.ts";
import type { BlockPlan, ConvolutionPlan } from "./options.ts";
import type { Norm, Parts } from "./parts.ts";

export interface ResNetBlock extends Module {
  /**
   * @param x [N, H, W, inputs]
   * @param activated what `preactivate` made of x, where that is known already
   * @returns [N, H', W', outputs]
   */
  forward(x: Tensor, activated?: Tensor): Tensor;
}

/** conv, norm, ReLU; conv, norm (, ReLU; conv, norm); + the input; ReLU. He et al., CVPR 2016. */
export class PostActivationBlock extends Module implements ResNetBlock {
  readonly conv1: Conv2d;
  readonly bn1: Norm | undefined;
  readonly conv2: Conv2d;
  readonly bn2: Norm | undefined;
  readonly conv3: Conv2d | undefined;
  readonly bn3: Norm | undefined;
  /** The convolution and its norm, on the direct path. */
  readonly downsample: readonly (Conv2d | Norm)[] | undefined;

  constructor({ convolutions, downsample }: BlockPlan, parts: Parts) {
    super();
    const [first, second, third] = convolutions as [ConvolutionPlan, ConvolutionPlan, ConvolutionPlan?];
    ({ convolution: this.conv1, norm: this.bn1 } = parts.normedConvolution(first));
    ({ convolution: this.conv2, norm: this.bn2 } = parts.normedConvolution(second));
    const last = third && parts.normedConvolution(third);
    this.conv3 = last?.convolution;
    this.bn3 = last?.norm;
    const direct = downsample && parts.normedConvolution(downsample);
    this.downsample = direct && [direct.convolution, ...(direct.norm ? [direct.norm] : [])];
  }

  forward(x: Tensor): Tensor {
    let h = normed(this.conv1.forward(x), this.bn1).relu();
    h = normed(this.conv2.forward(h), this.bn2);
    if (this.conv3) h = normed(this.conv3.forward(h.relu()), this.bn3);
    const direct = (this.downsample ?? []).reduce((value, layer) => layer.forward(value), x);
    return h.add(direct).relu();
  }
}

/** norm, ReLU, conv; norm, ReLU, conv (; norm, ReLU, conv); + the input, taken behind the first ReLU where it is resampled. */
export class PreactivationBlock extends Module implements ResNetBlock {
  readonly bn1: Norm;
  readonly conv1: Conv2d;
  readonly bn2: Norm | undefined;
  readonly conv2: Conv2d;
  readonly bn3: Norm | undefined;
  readonly conv3: Conv2d | undefined;
  /** The convolution on the direct path. */
  readonly downsample: readonly [Conv2d] | undefined;

  constructor({ convolutions, downsample }: BlockPlan, parts: Parts) {
    super();
    const [first, second, third] = convolutions as [ConvolutionPlan, ConvolutionPlan, ConvolutionPlan?];
    this.bn1 = parts.norm(first.inputs);
    ({ convolution: this.conv1, norm: this.bn2 } = parts.normedConvolution(first));
    if (third) {
      ({ convolution: this.conv2, norm: this.bn3 } = parts.normedConvolution(second));
      this.conv3 = parts.convolution(third);
    } else {
      this.conv2 = parts.convolution(second);
    }
    this.downsample = downsample && [parts.convolution(downsample)];
  }

  /** relu(bn1(x)), which the residual path and a resampled direct path start from. */
  preactivate(x: Tensor): Tensor {
    return this.bn1.forward(x).relu();
  }

  forward(x: Tensor, activated: Tensor = this.preactivate(x)): Tensor {
    let h = this.conv2.forward(normed(this.conv1.forward(activated), this.bn2).relu());
    if (this.conv3) h = this.conv3.forward(normed(h, this.bn3).relu());
    const direct = this.downsample ? this.downsample[0].forward(activated) : x;
    return h.add(direct);
  }
}

const normed = (x: Tensor, norm: Norm | undefined): Tensor => norm?.forward(x) ?? x;

/** The norm that starts a stage of which nothing else is built: features are taken behind it. */
export class PreactivationNorm extends Module {
  readonly bn1: Norm;

  constructor(bn1: Norm) {
    super();
    this.bn1 = bn1;
  }
}
