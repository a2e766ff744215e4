export * from "./errors.ts";
export * from "./images/image.ts";
export * from "./images/mask.ts";
export * from "./images/resize.ts";
export * from "./metrics/aupro.ts";
export * from "./metrics/curves.ts";
export * from "./metrics/regions.ts";
export * from "./schedule.ts";
