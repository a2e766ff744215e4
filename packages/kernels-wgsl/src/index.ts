export * from "./errors.ts";
export * from "./kernel.ts";
export * from "./kernels.ts";
export * from "./pack.ts";
export * from "./prepareCase.ts";
export * from "./registry.ts";
export * from "./shader.ts";
export * from "./spec.ts";
