/** ONNX's backend tests on the public API: none is wrong or refused, and what passes is what docs/onnx-tests.md says. */
import { readFileSync } from "node:fs";
import { expect } from "chai";
import { type BackendCase, missingData, readCases } from "./data.ts";
import { tryGradient } from "./gradients.ts";
import { tableOf } from "./operators/index.ts";
import { isBad, isRight, type Outcome, subject, tryCase } from "./outcome.ts";
import { page } from "./page.ts";
import { groupBy, operatorRow, writeReport } from "./report.ts";

describe("ONNX's backend tests", () => {
  if (missingData) {
    it(`skipped: ${missingData}`);
    return;
  }
  const lines = readFileSync(page, "utf8").split("\n");
  const outcomes: Outcome[] = [];

  // Few tests: the memory of the device is looked at after each of them.
  for (const [table, cases] of groupBy(readCases(), (test) => tableOf(subject(test)))) {
    it(`${table}: ${cases.length}`, async () => {
      const found: Outcome[] = [];
      for (const test of cases) found.push(await tryCase(test));
      outcomes.push(...found);
      expect(found.filter((outcome) => isBad(outcome))).to.deep.equal([]);
      for (const [operator, group] of groupBy(found, (outcome) => outcome.operator))
        expect(lines).to.include(operatorRow(operator, group));
    });
  }

  // All of them take a minute: `npm run test:onnx -- --grad`.
  it("derivatives of the first model of each operator", async () => {
    const bad: string[] = [];
    for (const [, cases] of groupBy(readCases(), subject)) {
      const passed = ({ name }: BackendCase): boolean =>
        outcomes.some((outcome) => outcome.name === name && isRight(outcome));
      const test = cases.find(passed);
      if (!test) continue;
      const { verdict, reason } = await tryGradient(test);
      if (verdict === "differs" || verdict === "refused") bad.push(`${test.name}: ${reason}`);
    }
    expect(bad).to.deep.equal([]);
  });

  it("docs/onnx-tests.md tells the reasons of all exceptions", () => {
    outcomes.sort((a, b) => (a.name < b.name ? -1 : 1));
    expect(writeReport(outcomes).split("\n")).to.deep.equal(lines);
  });
});
