/** The order in which samples are read. */
import { philox } from "../hostRandom.ts";

/** 0 … count − 1 in an order that depends on the seed and the epoch alone (Fisher and Yates' shuffle). */
export function shuffledIndices(count: number, seed: number, epoch: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  const words = new Uint32Array(4);
  for (let last = count - 1; last > 0; last--) {
    philox(last, epoch, seed >>> 0, words);
    const other = Math.floor((words[0]! / 2 ** 32) * (last + 1));
    const value = order[last]!;
    order[last] = order[other]!;
    order[other] = value;
  }
  return order;
}
