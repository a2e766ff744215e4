export * from "./config/file.ts";
export * from "./datasets/folder.ts";
export * from "./datasets/load.ts";
export * from "./datasets/procedural/write.ts";
export * from "./images/png.ts";
export * from "./report/write.ts";
