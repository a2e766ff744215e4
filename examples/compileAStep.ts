/** A training step that is recorded once: later calls only replay it. What changes is an argument or a variable. */
import { compile, grad, randomKeys, randomNormal, tensor, variable, zeros } from "@ddad/nn";
import { runDirectly } from "./run.ts";

/** Fits y = x · weight to data made with the weights 3 and −2, by gradient descent. */
export async function compileAStep() {
  const weight = variable(zeros([2, 1]));
  const stepsDone = variable(tensor(0));
  let recordings = 0;

  const step = compile((x, y, learningRate) => {
    recordings++; // this function runs only while it is recorded
    const loss = x.matmul(weight).sub(y).square().mean();
    const [gradient] = grad(loss, [weight]);
    weight.assign(weight.sub(gradient!.mul(learningRate)));
    stepsDone.assign(stepsDone.add(1));
    return { loss };
  });

  const x = randomNormal(randomKeys(1, [{ stream: 0, step: 0 }]), [1, 128]).reshape([64, 2]);
  const y = x.matmul(tensor([[3], [-2]]));
  const losses: number[] = [];
  for (let index = 0; index < 40; index++) {
    const learningRate = tensor(index < 20 ? 0.2 : 0.1); // a plain number would be fixed by the first call
    const { loss } = await step(x, y, learningRate);
    losses.push(await loss.item());
  }
  const [first, last] = [losses.at(0)!, losses.at(-1)!];

  // Other shapes are recorded, fused and planned anew, next to the first.
  const one = tensor([[1, 1]]);
  const { loss } = await step(one, tensor([[1]]), tensor(0));

  return {
    weight: [...(await weight.data())],
    stepsDone: await stepsDone.item(),
    recordings,
    firstLoss: first,
    lastLoss: last,
    lossOfOne: await loss.item(),
  };
}

void runDirectly(import.meta.url, compileAStep);
