/** Losses. */
export * from "./binary.ts";
export * from "./crossEntropy.ts";
export * from "./klDiv.ts";
export type { LossOptions, Reduction } from "./reduction.ts";
export * from "./regression.ts";
