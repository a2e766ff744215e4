/**
 * Noise as a function of what it is for: seed, image, purpose and step, nothing else. The same image therefore gets
 * the same noise in any batch, in any order, on any device, and after a training was resumed.
 */
import { randomKeys, type Tensor } from "@ddad/nn";
import { uniform } from "../data/random.ts";

/** What noise is for. Numbers stay as they are: changing one changes every result made with it. */
export const noisePurposes = { training: 1, timestep: 2, dropout: 3, validation: 4, sampling: 5 } as const;

/** Names of the purposes. */
export type NoisePurpose = keyof typeof noisePurposes;

/** One draw for an image. */
export type Draw = {
  /** Identity of the image: 32 bits, such as `hashText(sample.id)`. */
  readonly image: number;
  /** Which draw for this purpose it is: a step of the sampler, a visit in training. */
  readonly step: number;
};

/** Keys `[N, 4]` (u32) for `randomNormal` and its kin, one row a draw. */
export function noiseKeys(seed: number, purpose: NoisePurpose, draws: readonly Draw[]): Tensor<"u32"> {
  // Above the seed's 32 bits, with room below for a RandomStream to count the uses in a network.
  const purposeBits = noisePurposes[purpose] * 2 ** 48;
  return randomKeys(
    (seed % 2 ** 32) + purposeBits,
    draws.map(({ image, step }) => ({ stream: image, step })),
  );
}

/** A whole number in 0 … limit − 1. */
export function drawTimestep(seed: number, { image, step }: Draw, limit: number): number {
  return Math.floor(uniform(seed, noisePurposes.timestep, image, step) * limit);
}
