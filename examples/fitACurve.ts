/** A small network learns y = sin(3x): modules, a loss, an optimiser, a compiled step. */
import {
  AdamW,
  arange,
  compile,
  grad,
  Linear,
  mseLoss,
  Sequential,
  SiLU,
  setSeed,
  sin,
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

  // `control` carries what the optimiser changes from step to step, so that one recording serves them all.
  const step = compile((input, target, control) => {
    const loss = mseLoss(network.forward(input), target);
    optimizer.step(grad(loss, optimizer.parameters), { control });
    return loss;
  });
  const losses: number[] = [];
  for (let index = 0; index < steps; index++) {
    const loss = await step(x, y, optimizer.control());
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
