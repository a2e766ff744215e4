#!/usr/bin/env node
// Prints how long the source files are, package by package, the longest first. Over 300 lines a file is marked: it has
// two subjects. With --check such a file is a failure.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const limit = 300;
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const folders = readdirSync(join(root, "packages")).flatMap((name) => [
  `packages/${name}/src`,
  `packages/${name}/test`,
]);
let total = 0;
let long = 0;

for (const folder of [...folders, "examples", "bench/src", "scripts"].filter((name) =>
  existsSync(join(root, name)),
)) {
  const files = readdirSync(join(root, folder), { recursive: true })
    .filter((file) => /\.(ts|mjs|sh)$/.test(file) && !/(^|[/\\])(node_modules|dist)[/\\]/.test(file))
    .map((file) => ({ file, lines: readFileSync(join(root, folder, file), "utf8").split("\n").length - 1 }))
    .sort((a, b) => b.lines - a.lines);
  const sum = files.reduce((lines, file) => lines + file.lines, 0);
  total += sum;
  console.log(`\n${folder}: ${files.length} files, ${sum} lines`);
  for (const { file, lines } of files) {
    const mark = lines > limit ? `  over ${limit}` : "";
    if (mark) long += 1;
    console.log(`${String(lines).padStart(6)}  ${file}${mark}`);
  }
}

console.log(`\n${total} lines in all, ${long} files over ${limit} lines`);
if (process.argv.includes("--check") && long) process.exit(1);
