/** Device memory that is known before anything runs: what is held, what goes in and out, and what lies between kernels. */
import type { PlannedBytes, TensorSpec } from "@ddad/nn";
import { bufferBytes, sharedBytes } from "@ddad/nn/internal";
import { formatMemory } from "./budget.ts";

/** Bytes of device memory by what they are of, each counted once. */
export type PlannedMemory = {
  /** Held from the first step to the last: parameters, optimiser state and so on. */
  readonly held: Readonly<Record<string, number>>;
  /** Images, their noise keys and results: what goes in and comes out. */
  readonly arguments: number;
  /** Buffers between the kernels, which everything that is computed shares. */
  readonly intermediates: number;
  readonly total: number;
};

/** What is held, passed in and out, and used between kernels, summed up. */
export function memoryOf(
  held: Readonly<Record<string, number>>,
  passed: number,
  plans: readonly Pick<PlannedBytes, "slots">[],
): PlannedMemory {
  const intermediates = sharedBytes(plans);
  const total = Object.values(held).reduce((sum, bytes) => sum + bytes, passed + intermediates);
  return { held, arguments: passed, intermediates, total };
}

/** Bytes of the buffers of tensors, or of those that there would be. */
export const bytesOfAll = (specs: Iterable<TensorSpec>): number =>
  [...new Set(specs)].reduce((sum, spec) => sum + bufferBytes(spec), 0);

/** Numbers in the `control` tensor of the Adam family. */
export const adamControlLength = 8;

/** The plan for people, one line. @param what the images at a time, or what else it is for. */
export function describeMemory(
  { held, arguments: passed, intermediates, total }: PlannedMemory,
  what: string,
): string {
  const parts = { ...held, "images and results": passed, intermediates };
  const listed = Object.entries(parts).map(([name, bytes]) => `${name} ${formatMemory(bytes)}`);
  return `planned device memory for ${what}: ${formatMemory(total)} (${listed.join(", ")}); the driver and compiled shaders come on top`;
}
