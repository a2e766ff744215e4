/** ONNX's backend tests on the public API: what becomes of each model is what docs/onnx-tests.md says. */
import { readFileSync } from "node:fs";
import { expect } from "chai";
import { missingData, readCases } from "./data.ts";
import { type Outcome, subject, tryCase } from "./outcome.ts";
import { page } from "./page.ts";
import { groupBy, operatorRow, writeReport } from "./report.ts";

describe("ONNX's backend tests", () => {
  if (missingData) {
    it(`skipped: ${missingData}`);
    return;
  }
  const lines = readFileSync(page, "utf8").split("\n");
  const outcomes: Outcome[] = [];

  for (const [operator, cases] of groupBy(readCases(), subject)) {
    it(`${operator}: ${cases.length}`, async () => {
      const group: Outcome[] = [];
      for (const test of cases) group.push(await tryCase(test));
      outcomes.push(...group);
      expect(lines).to.include(operatorRow(operator, group));
    });
  }

  it("docs/onnx-tests.md tells the reasons of all exceptions", () => {
    outcomes.sort((a, b) => (a.name < b.name ? -1 : 1));
    expect(writeReport(outcomes).split("\n")).to.deep.equal(lines);
  });
});
