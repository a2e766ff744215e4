// @ddad/tensor by itself.
import { setupDevice, tensor } from "@ddad/tensor";

export async function work() {
  await setupDevice();
  const x = tensor([
    [1, 2],
    [3, 4],
  ]);
  return [...(await x.matmul(x).data()), await x.mean().item()];
}

export const expected = [7, 10, 15, 22, 2.5];
