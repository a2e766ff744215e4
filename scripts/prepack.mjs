#!/usr/bin/env node
// Makes a package ready for its tarball; npm runs it in the package's folder. Copies the licence, and takes files out of dist
// whose source is gone: the compiler leaves them there, and they would be published.
import { copyFileSync, existsSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const folder = process.cwd();
copyFileSync(join(root, "LICENSE"), join(folder, "LICENSE"));

const dist = join(folder, "dist");
for (const file of readdirSync(dist, { recursive: true }).filter((path) => !/^lean[/\\]/.test(path))) {
  const source = file.match(/^(.*)\.(?:js|d\.ts)(?:\.map)?$/)?.[1];
  if (source && !existsSync(join(folder, "src", `${source}.ts`))) rmSync(join(dist, file));
}
if (basename(folder) === "kernels-wgsl") await import("./lean.mjs");
