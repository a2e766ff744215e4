/** One number for an image, from the distances of its patches to the bank. */
import type { MemoryBank } from "./memoryBank.ts";

/**
 * s = (1 − e^‖p − m‖ / Σ_n e^‖p − n‖) · ‖p − m‖ (equation 7 of the paper): p is the patch farthest from the bank, m the patch of
 * the bank nearest to it, n the b patches of the bank nearest to m, itself among them. The rarer m is among good patches, the
 * less p's likeness to it excuses. With b = 1, or one patch in the bank, there is nothing to weigh: s = ‖p − m‖.
 *
 * NaN or Infinity among the distances is the score itself: there is no patch to weigh it by.
 *
 * @param distances `[T]`, of all patches of the image to the bank.
 * @param patchAt the vector of a patch of the image.
 */
export async function imageScore(
  bank: MemoryBank,
  distances: Float32Array,
  patchAt: (index: number) => Promise<Float32Array>,
  neighbours: number,
): Promise<number> {
  const largestDistance = distances.reduce((a, b) => Math.max(a, b), 0);
  if (!Number.isFinite(largestDistance)) return largestDistance;
  const farthest = distances.indexOf(largestDistance);
  const score = distances[farthest]!;
  if (Math.min(neighbours, bank.size) === 1) return score;
  const fromPatch = await bank.distancesFrom(await patchAt(farthest));
  const [nearest] = nearestIndices(fromPatch, 1) as [number];
  const around = nearestIndices(await bank.distancesFrom(bank.row(nearest)), neighbours);
  const reached = around.map((index) => fromPatch[index]!);
  const largest = Math.max(...reached); // taken out of the exponents, so that none is too large
  const sum = reached.reduce((total, distance) => total + Math.exp(distance - largest), 0);
  return score * (1 - Math.exp(fromPatch[nearest]! - largest) / sum);
}

/** Indices of the `count` smallest distances, rising; the first among equals. */
export function nearestIndices(distances: Float32Array, count: number): number[] {
  const found: number[] = [];
  for (const [index, distance] of distances.entries()) {
    let place = found.length;
    while (place > 0 && distance < distances[found[place - 1]!]!) place--;
    if (place === count) continue;
    found.splice(place, 0, index);
    if (found.length > count) found.pop();
  }
  return found;
}
