/** Tensors are values that are computed when somebody asks; gradients are recorded like everything else. */
import { evaluate, explain, grad, ShapeError, tensor } from "@ddad/nn";
import { runDirectly } from "./run.ts";

export async function tensorsAndGradients() {
  const x = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]); // [2, 3]
  const weight = tensor([0.5, -1, 2]); // [3], repeated for each row of x
  const target = tensor([1, 2]); // [2]

  // Nothing runs yet: each line checks shapes and leaves a note of what to compute.
  const prediction = x.mul(weight).sum(1); // [2]
  const loss = prediction.sub(target).square().mean(); // []

  // A gradient is a recorded tensor too, so it can be differentiated again.
  const [gradient] = grad(loss, [weight]); // [3]
  const [ofItsSquare] = grad(gradient!.square().sum(), [weight]); // [3]

  // What they have in common is computed once. Chains of elementwise operations become one dispatch.
  await evaluate(prediction, loss, gradient!, ofItsSquare!);
  const plan = explain(x.mul(2).add(1).tanh());

  let refusal = "";
  try {
    x.add(tensor([1, 2]));
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    refusal = error.message;
  }
  return {
    prediction: [...(await prediction.data())],
    loss: await loss.item(),
    gradient: [...(await gradient!.data())],
    ofItsSquare: [...(await ofItsSquare!.data())],
    plan,
    refusal,
  };
}

void runDirectly(import.meta.url, tensorsAndGradients);
