// The whole package as a namespace, tensors only: no operation is imported by name, all are methods.
import * as nn from "@ddad/nn";

export async function work() {
  await nn.setupDevice();
  const x = nn.tensor([1, 2, 3]);
  const y = x.mul(2).add(1).sqrt();
  return [...(await y.square().data()), await y.square().sum().item()];
}

export const expected = [3, 5, 7, 15];
