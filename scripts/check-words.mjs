#!/usr/bin/env node
// One word for one thing, the field's own, in all packages, the docs and the benchmarks. Only phrases that are nearly always
// home-made are listed; `unless` names the senses in which a word stays.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const paths = [
  "packages/kernels-wgsl",
  "packages/tensor",
  "packages/nn",
  "packages/ddad",
  "packages/node",
  "packages/cli",
  "bench",
  "README.md",
  "docs/architecture.md",
  "docs/performance.md",
  "docs/paper-to-code.md",
  "docs/ops.md",
  "docs/for-pytorch-users.md",
  "docs/adding-a-kernel.md",
  "docs/adding-an-op.md",
  "docs/settings.md",
  "docs/data-sets.md",
  "docs/results.md",
];

const rules = [
  { say: "image", not: /\bpictures?\b/i },
  // Halving a number stays: sizes, memory, a loss scale, the bits of a word.
  { say: "f16", not: /\bhalves\b/i, unless: /memory|scale|height|Downsample|exponent|\bbits?\b/ },
  { say: "contiguous", not: /\bside by side\b|sideBySide/ },
  { say: "split-K", not: /\bin more parts\b|\bdivisions? of k\b/ },
  { say: "heuristic, autotuned", not: /\bunasked\b|\bby measurement\b/i },
  { say: "interleaved", not: /\bby turns\b/ },
  { say: "a callback, is reported", not: /\b(is|are|be) told\b|\btold (of|by)\b/i },
  { say: "fraction", not: /\b(as a|its|their) share\b/ },
  { say: "NaN", not: /\b(is|are|be) no numbers?\b|\bnumbers that are none\b/ },
  { say: "expensive", not: /\bdear(er)?\b/ },
  { say: "recompute", not: /\bcomputed again\b|\bcomputes? it again\b/ },
  { say: "continue, resume", not: /\bgo(es)? on\b/ },
  { say: "release", not: /\bletGo\b|\blets? go\b/ },
  { say: "a plain clause", not: /\bas far as\b|\bthat there (is|are)\b|\bas good as\b|\bat hand\b/ },
];

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const files = execFileSync("git", ["ls-files", ...paths], { cwd: root, encoding: "utf8" })
  .split("\n")
  .filter((file) => /\.(ts|md|mjs|py|sh)$/.test(file) && !file.endsWith("words.test.ts")); // which lists them

const problems = files.flatMap((file) =>
  readFileSync(join(root, file), "utf8")
    .split("\n")
    .flatMap((line, index) =>
      rules
        .filter(({ not, unless }) => not.test(line) && !unless?.test(line))
        .map(({ say, not }) => `${file}:${index + 1}: "${line.match(not)[0]}": say ${say}`),
    ),
);

for (const problem of problems) console.error(problem);
console.log(problems.length ? `words: ${problems.length} to change` : "words: every term is the field's");
process.exit(problems.length ? 1 : 0);
