/** Which images make up the batch of a training step. */
import { uniform } from "./random.ts";

/** Which step a batch is for. */
export type BatchOptions = {
  seed: number;
  /** Training step, from 0. */
  step: number;
  batchSize: number;
  /** Images to draw from. */
  count: number;
};

/**
 * Indices of the images of one step.
 *
 * The images are gone through in a new order every epoch; a batch may end one epoch and begin the next, so none is
 * left out, and a batch may be larger than the data set. The answer depends on the arguments alone, so a resumed
 * training sees exactly the batches that an uninterrupted one sees.
 *
 * @throws RangeError when there is no image to draw from, or a number is not a whole one.
 */
export function batchIndices({ seed, step, batchSize, count }: BatchOptions): number[] {
  for (const [name, value, least] of [
    ["step", step, 0],
    ["batchSize", batchSize, 1],
    ["count", count, 1],
  ] as const) {
    if (!Number.isInteger(value) || value < least) {
      throw new RangeError(
        `batchIndices: ${name} must be a whole number of at least ${least}, but is ${value}.`,
      );
    }
  }
  const orders = new Map<number, Uint32Array>();
  return Array.from({ length: batchSize }, (_, i) => {
    const position = step * batchSize + i;
    const epoch = Math.floor(position / count);
    if (!orders.has(epoch)) orders.set(epoch, shuffle(count, seed, epoch));
    return orders.get(epoch)![position % count]!;
  });
}

/** The numbers 0 … count − 1 in the order of one epoch (Fisher–Yates). */
function shuffle(count: number, seed: number, epoch: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(uniform(seed, epoch, i) * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
