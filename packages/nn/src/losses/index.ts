/** How far a prediction is from its target. */
export * from "./binary.ts";
export * from "./crossEntropy.ts";
export * from "./klDiv.ts";
export type { LossOptions, Reduction } from "./reduction.ts";
export * from "./regression.ts";
