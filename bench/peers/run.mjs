#!/usr/bin/env node
// `node bench/peers/run.mjs`: the same layers in this library and in its peers, in turn. See README.md here.
import { existsSync } from "node:fs";
import { register } from "tsx/esm/api";

const missing = [
  ["the peers are not installed", "./node_modules/@jax-js/jax", "npm ci --prefix bench/peers"],
  ["this library is not built", "../../packages/nn/dist/index.js", "npm run setup"],
].find(([, path]) => !existsSync(new URL(path, import.meta.url)));
if (missing) {
  console.error(`bench/peers: ${missing[0]}: ${missing[2]}`);
  process.exit(2);
}
// The variants as they are chosen without measuring; DDAD_TUNING=FILE takes the choices of `tune` from there.
process.env.DDAD_TUNING ??= "off";
register();
await import("./src/main.ts");
