#!/usr/bin/env node
// Kernels for bundles: copies packages/kernels-wgsl/dist to dist/lean without the cases, refusals and f64 references, which only
// tests and benchmarks need and which are a seventh of a page's bundle. `exports` gives browsers this copy. Part of the build.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseAst } from "vite";

const dist = join(dirname(fileURLToPath(import.meta.url)), "..", "packages", "kernels-wgsl", "dist");
const lean = join(dist, "lean");

/** What `tune` allows a kernel that states no tolerance; a kernel that states more keeps that. */
const usualTolerance = 1e-5;

rmSync(lean, { recursive: true, force: true });
let stripped = 0;
const files = new Set(["index.js", "errors.js"]); // grows while it is walked; a build of earlier sources may have left others
for (const file of files) {
  const text = readFileSync(join(dist, file), "utf8").replace(/^\/\/# sourceMappingURL=.*$/m, "");
  for (const [, to] of text.matchAll(/\bfrom "(\.[^"]+)"/g)) files.add(join(dirname(file), to));
  const target = join(lean, file);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, await strip(file, text));
}
if (stripped === 0)
  throw new Error("lean: no kernel was found, so the search for defineKernel must be mended.");
console.log(`lean: ${stripped} kernels without cases and references`);

/** The text of a module with the arguments of `defineKernel` cut down. */
async function strip(file, text) {
  const tree = parseAst(text);
  const properties = [...kernelsIn(tree)].flatMap((kernel) => kernel.properties);
  const cuts = properties.filter(({ key }) => ["cases", "refusals", "reference"].includes(key?.name));
  const exported = Object.values(await import(pathToFileURL(join(dist, file)).href));
  const cases = exported.flatMap((value) => value?.cases ?? []);
  // A module that makes kernels for others keeps their cases: it cannot be told which tolerances are among them.
  const replaced = cases.length ? cuts : cuts.filter(({ key }) => key.name === "reference");
  const tolerance = Math.max(usualTolerance, ...cases.map((one) => one.tolerance ?? 0));
  const kept =
    tolerance > usualTolerance ? `[{ name: "", inputs: {}, attrs: {}, tolerance: ${tolerance} }]` : "[]";
  const replacement = {
    cases: `cases: ${kept}`,
    refusals: "refusals: []",
    reference: "reference: noReference",
  };
  const edits = [
    ...replaced.map(({ key, start, end }) => ({ start, end, text: replacement[key.name] })),
    ...[...find(tree, "TemplateElement")].map(({ start, end }) => ({
      start,
      end,
      text: squeeze(text.slice(start, end)),
    })),
  ];
  const lean = apply(text, edits);
  if (!cuts.length) return lean;
  stripped += cuts.filter(({ key }) => key.name === "reference").length;
  const errors = relative(dirname(file), "errors.js").replaceAll("\\", "/");
  return `import { noReference } from "${errors.startsWith(".") ? errors : `./${errors}`}";\n${lean}`;
}

/** A piece of WGSL without indentation and comments to the end of a line. Lines stay, as messages of compilers count them. */
function squeeze(wgsl) {
  return wgsl.replace(/[ \t]*\/\/[^\n]*(?=\n)/g, "").replace(/\n[ \t]+/g, "\n");
}

/** Replaces pieces of a text; one within another is gone with it. */
function apply(text, edits) {
  let result = "";
  let position = 0;
  for (const { start, end, text: piece } of edits.sort((a, b) => a.start - b.start || b.end - a.end)) {
    if (start < position) continue;
    result += text.slice(position, start) + piece;
    position = end;
  }
  return result + text.slice(position);
}

/** The objects that `defineKernel` is called with. */
function* kernelsIn(tree) {
  for (const { callee, arguments: given } of find(tree, "CallExpression"))
    if (callee.name === "defineKernel" && given[0]?.type === "ObjectExpression") yield given[0];
}

/** Every node of a type. */
function* find(node, type) {
  if (!node || typeof node !== "object") return;
  if (node.type === type) yield node;
  for (const child of Object.values(node)) yield* find(child, type);
}
