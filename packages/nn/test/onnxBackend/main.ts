/**
 * `npm run test:onnx`: runs ONNX's backend tests and prints what is not right. `--only TEXT` takes models whose names contain it,
 * `--list` prints every outcome, `--update` writes docs/onnx-tests.md, `--grad` checks the derivatives of what passes, too.
 * Exit code 1 where a model is wrong or refused, or a derivative.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { setupDevice } from "@ddad/nn";
import { missingData, readCases } from "./data.ts";
import { tryGradient } from "./gradients.ts";
import { isBad, isRight, type Outcome, tryCase } from "./outcome.ts";
import { page } from "./page.ts";
import { countVerdicts, writeReport } from "./report.ts";

const args = process.argv.slice(2);
const value = (name: string): string => (args.includes(name) ? (args[args.indexOf(name) + 1] ?? "") : "");

process.exitCode = await main();

async function main(): Promise<number> {
  if (missingData) {
    console.log(`Skipped. ${missingData}`);
    return 0;
  }
  const only = value("--only");
  const device = await setupDevice();
  const outcomes: Outcome[] = [];
  const derivatives: Record<string, number> = {};
  for (const test of readCases().filter(({ name }) => name.includes(only))) {
    const outcome = await tryCase(test);
    outcomes.push(outcome);
    const { name, operator, verdict, reason } = outcome;
    const loud = isBad(outcome) || args.includes("--list") || only;
    if (loud) console.log(`${verdict}: ${name} (${operator}) ${reason.split("\n")[0]}`);
    if (!args.includes("--grad") || !isRight(outcome)) continue;
    const found = await tryGradient(test);
    derivatives[found.verdict] = (derivatives[found.verdict] ?? 0) + 1;
    const badGradient = found.verdict === "differs" || found.verdict === "refused";
    if (badGradient || args.includes("--list") || only)
      console.log(`gradient ${found.verdict}: ${name} ${found.reason.split("\n")[0]}`);
  }
  device.destroy();
  outcomes.sort((a, b) => (a.name < b.name ? -1 : 1));
  const counts = countVerdicts(outcomes);
  console.log(JSON.stringify(counts));
  if (args.includes("--grad")) console.log(`derivatives: ${JSON.stringify(derivatives)}`);
  const bad = counts.wrong + counts.refused + (derivatives["differs"] ?? 0) + (derivatives["refused"] ?? 0);
  if (only) return bad ? 1 : 0;
  const report = writeReport(outcomes);
  if (args.includes("--update")) writeFileSync(page, report);
  else if (report !== readFileSync(page, "utf8")) {
    console.log("docs/onnx-tests.md says otherwise. If this is meant: npm run test:onnx -- --update");
    return 1;
  }
  return bad ? 1 : 0;
}
