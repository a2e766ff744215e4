export * from "./batchNorm.ts";
export * from "./conv2d.ts";
export * from "./elementwise.ts";
export * from "./groupNorm.ts";
export * from "./matmul.ts";
export * from "./mean.ts";
export * from "./movement.ts";
export * from "./reshape.ts";
export { broadcastTo, type ReduceOptions, sum } from "./sum.ts";
