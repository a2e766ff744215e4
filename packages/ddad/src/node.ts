export * from "./config/file.ts";
export * from "./datasets/folder.ts";
export { findImages } from "./datasets/listing.ts";
export * from "./datasets/load.ts";
export * from "./datasets/procedural/write.ts";
export * from "./datasets/splitFile.ts";
export * from "./images/png.ts";
export * from "./images/read.ts";
export * from "./report/write.ts";
