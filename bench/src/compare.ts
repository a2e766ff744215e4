#!/usr/bin/env node
/** `node bench/dist/compare.js BEFORE.json AFTER.json`: how two result files of `npm run bench -- --json` differ. */
import { readFileSync } from "node:fs";
import { UsageError } from "./options.ts";
import type { Results } from "./results.ts";

const usage = "node bench/dist/compare.js BEFORE.json AFTER.json";

/** One figure that can be compared, in its own unit; less is better. */
interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

/** Throws UsageError where the file is missing or holds something else. */
function readResults(path: string): Results {
  let results: Partial<Results> | null;
  try {
    results = JSON.parse(readFileSync(path, "utf8")) as Partial<Results> | null;
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  if (!results?.adapter || !Array.isArray(results.cases)) {
    throw new UsageError(`${path} holds no results of \`npm run bench -- --json FILE\`.`);
  }
  return results as Results;
}

const figuresOf = ({ cases, engine }: Results): Figure[] => [
  ...cases.map(({ name, ms }) => ({ name, value: ms, unit: "ms" })),
  ...(engine ?? []).map(({ name, microseconds }) => ({ name, value: microseconds, unit: "µs" })),
];

const width = 68;

/** The lines of the comparison. A ratio above 1 means that the second file is faster. */
function compareResults(before: Results, after: Results): string[] {
  const lines: string[] = [];
  if (before.adapter !== after.adapter) {
    lines.push(`The adapters differ: "${before.adapter}" and "${after.adapter}".`, "");
  }
  const old = new Map(figuresOf(before).map((figure) => [figure.name, figure]));
  lines.push(`${"".padEnd(width)}     before       after   before/after`);
  let [sum, count] = [0, 0];
  const added: string[] = [];
  for (const { name, value, unit } of figuresOf(after)) {
    const earlier = old.get(name);
    old.delete(name);
    if (!earlier) {
      added.push(name);
      continue;
    }
    const ratio = earlier.value / value;
    sum += Math.log(ratio);
    count++;
    const columns = [earlier.value, value].map((figure) => `${figure.toPrecision(4)} ${unit}`.padStart(11));
    lines.push(`${name.padEnd(width)} ${columns.join(" ")} ${ratio.toFixed(2).padStart(14)}`);
  }
  if (count) lines.push("", `geometric mean of ${count} ratios: ${Math.exp(sum / count).toFixed(3)}`);
  if (old.size) lines.push(`only before: ${[...old.keys()].join(", ")}`);
  if (added.length) lines.push(`only after: ${added.join(", ")}`);
  return lines;
}

try {
  const paths = process.argv.slice(2);
  if (paths.length !== 2) throw new UsageError(`Two files are needed: ${usage}`);
  const [before, after] = paths.map(readResults) as [Results, Results];
  for (const line of compareResults(before, after)) console.log(line);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
