export * from "./images/png.ts";
