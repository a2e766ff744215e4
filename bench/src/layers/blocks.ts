/** Blocks of a UNet, and a small one: quick even on a CPU, and the same as in `bench/peers`. */
import {
  Adam,
  AttentionBlock,
  arange,
  Conv2d,
  compile,
  GroupNorm,
  grad,
  type HostRandom,
  Module,
  mseLoss,
  type Tensor,
  UNet,
} from "@ddad/nn";
import { countParameters, type Family, type Made, normal, random } from "./family.ts";

/** Group norm (32 groups) and SiLU and a 3×3 convolution, twice, and the input added. */
class PlainResidualBlock extends Module {
  readonly norm1: GroupNorm;
  readonly conv1: Conv2d;
  readonly norm2: GroupNorm;
  readonly conv2: Conv2d;

  constructor(channels: number, source: HostRandom) {
    super();
    this.norm1 = new GroupNorm(32, channels, { activation: "silu" });
    this.conv1 = new Conv2d(channels, channels, 3, { padding: 1, random: source });
    this.norm2 = new GroupNorm(32, channels, { activation: "silu" });
    this.conv2 = new Conv2d(channels, channels, 3, { padding: 1, random: source });
  }

  /** [N, H, W, channels] → the same shape */
  forward(x: Tensor): Tensor {
    const h = this.conv1.forward(this.norm1.forward(x));
    return x.add(this.conv2.forward(this.norm2.forward(h)));
  }
}

/** Forward, and the gradients of the mean of squares towards the input and every parameter. */
function makeBlock(block: Module & { forward(x: Tensor): Tensor }, x: Tensor): Made {
  const parameters = block.parameters();
  const forward = compile((input: Tensor) => [block.forward(input)]);
  const both = compile((input: Tensor) => {
    const loss = block.forward(input).square().mean();
    return [loss, ...grad(loss, [input, ...parameters])];
  });
  return { steps: [() => forward(x), () => both(x)], parameters: countParameters(block) };
}

/** A network of three levels, attention on each, and one step of Adam towards the noise. */
function makeSmallUNet(): Made {
  const size = {
    imageSize: 32,
    baseChannels: 32,
    heads: 2,
    channelMultipliers: [1, 2, 2],
    blocksPerLevel: 1,
  };
  const unet = new UNet({ ...size, seed: 1 });
  const optimizer = new Adam(unet);
  const images = normal([2, 32, 32, 3]);
  const noise = normal([2, 32, 32, 3]);
  const times = arange(2);
  const forward = compile((x: Tensor, t: Tensor) => [unet.forward(x, t)]);
  const train = compile((x: Tensor, t: Tensor, target: Tensor, control: Tensor) => {
    const loss = mseLoss(unet.forward(x, t), target);
    optimizer.step(grad(loss, optimizer.parameters), { control });
    return [loss];
  });
  const step = async () => {
    using control = optimizer.control();
    return await train(images, times, noise, control);
  };
  return { steps: [() => forward(images, times), step], parameters: countParameters(unet) };
}

export const blockFamilies: readonly Family[] = [
  {
    names: ["residual block forward", "residual block forward + backward"],
    make: () => makeBlock(new PlainResidualBlock(64, random), normal([2, 32, 32, 64])),
  },
  {
    names: ["attention block forward", "attention block forward + backward"],
    make: () => makeBlock(new AttentionBlock({ channels: 128, heads: 4, random }), normal([2, 16, 16, 128])),
  },
  { names: ["small UNet forward", "small UNet training step"], make: makeSmallUNet },
];
