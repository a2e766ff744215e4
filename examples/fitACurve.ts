/** A small network learns y = sin(3x): modules, a loss, an optimiser, a compiled step. */
import {
  AdamW,
  arange,
  Linear,
  mseLoss,
  Sequential,
  SiLU,
  setSeed,
  sin,
  type Tensor,
  warmupCosine,
} from "@ddad/nn";
import { runDirectly } from "./run.ts";

const steps = 150;

export async function fitACurve() {
  setSeed(1); // of the initial weights
  const network = new Sequential(
    new Linear(1, 32),
    new SiLU(),
    new Linear(32, 32),
    new SiLU(),
    new Linear(32, 1),
  );
  const optimizer = new AdamW(network, { learningRate: warmupCosine({ peak: 0.02, warmup: 10, steps }) });

  const x = arange(128)
    .mul(2 / 127)
    .sub(1)
    .reshape([128, 1]); // −1 … 1
  const y = sin(x.mul(3)); // [128, 1]

  // As minimize(loss), but recorded once: later calls only replay it.
  const step = optimizer.compileStep((input: Tensor, target: Tensor) =>
    mseLoss(network.forward(input), target),
  );
  const losses: number[] = [];
  for (let index = 0; index < steps; index++) {
    const loss = await step(x, y);
    if (index % 30 === 0 || index === steps - 1) losses.push(await loss.item());
  }

  const names = [...(await network.stateDict()).keys()]; // as PyTorch would call them
  const half = network.forward(arange(1).add(0.5).reshape([1, 1])); // x = 0.5
  const error = Math.abs((await half.item()) - Math.sin(1.5));
  network.dispose();
  optimizer.dispose();
  return { losses, error, names };
}

void runDirectly(import.meta.url, fitACurve);
