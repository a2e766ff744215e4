// Named imports, with operations as functions.
import { add, grad, mul, setupDevice, sum, tensor } from "@ddad/nn";

export async function work() {
  await setupDevice();
  const x = tensor([1, 2, 3]);
  const loss = sum(mul(x, add(x, 1)));
  const [gradient] = grad(loss, [x]);
  return [await loss.item(), ...(await gradient.data())];
}

export const expected = [20, 3, 5, 7];
