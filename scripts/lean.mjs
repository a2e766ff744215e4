#!/usr/bin/env node
// Kernels for browser bundles: writes packages/kernels-wgsl/dist/lean from dist, without the cases, refusals and f64 references
// that only tests and benchmarks read. `exports` gives this copy to bundlers for browsers. Part of the build, after tsc.
//   node scripts/lean.mjs [FOLDER]     writes it elsewhere
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { findReached } from "./lean/reach.mjs";
import { editModule } from "./lean/rewrite.mjs";
import { cutKernels, readModules } from "./lean/source.mjs";

const dist = join(dirname(fileURLToPath(import.meta.url)), "..", "packages", "kernels-wgsl", "dist");
const lean = resolve(process.argv[2] ?? join(dist, "lean"));

try {
  const modules = readModules("index.js", (file) => readFileSync(join(dist, file), "utf8"));
  cutKernels(modules);
  const reached = findReached(modules, "index.js");
  rmSync(lean, { recursive: true, force: true });
  let files = 0;
  for (const module of modules.values()) {
    if (!reached.modules.has(module.file)) continue;
    const target = join(lean, module.file);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, editModule(module, reached.names.get(module.file)));
    files += 1;
  }
  console.log(`lean kernels: ${files} of ${modules.size} modules`);
} catch (error) {
  console.error(`lean: ${error.message}`);
  process.exit(1);
}
