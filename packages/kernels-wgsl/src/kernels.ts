/** All kernels of the library, for tests, benchmarks and docs. */
import type { Kernel } from "./kernel.ts";
import * as registry from "./registry.ts";

const isKernel = (value: unknown): value is Kernel =>
  typeof value === "object" && value !== null && "variants" in value && "reference" in value;

/** Every kernel that the registry exports, by the order of their names. */
export const kernels: readonly Kernel[] = (Object.values(registry) as unknown[]).filter(isKernel);
