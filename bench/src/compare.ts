#!/usr/bin/env node
/** `node bench/dist/compare.js BEFORE.json AFTER.json`: how two result files of `npm run bench -- --json` differ. */
import { readFileSync } from "node:fs";
import { compareResults } from "./comparison.ts";
import { UsageError } from "./options.ts";
import type { Results } from "./results.ts";

const usage = "node bench/dist/compare.js BEFORE.json AFTER.json";

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

try {
  const paths = process.argv.slice(2);
  if (paths.length !== 2) throw new UsageError(`Two files are needed: ${usage}`);
  const [before, after] = paths.map(readResults) as [Results, Results];
  for (const line of compareResults(before, after)) console.log(line);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
