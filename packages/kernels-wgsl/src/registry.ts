/** The kernels of the library: one export line each. `kernels` is what tests, benchmarks and docs loop over. */
import type { Kernel } from "./kernel.ts";
import { sum } from "./reduce/sum.ts";

export * from "./reduce/sum.ts";

export const kernels: readonly Kernel[] = [sum];
