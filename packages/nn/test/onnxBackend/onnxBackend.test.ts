/** ONNX's backend tests on the public API: none is wrong or refused, and what passes is what docs/onnx-tests.md says. */
import { readFileSync } from "node:fs";
import { expect } from "chai";
import { missingData, readCases } from "./data.ts";
import { tableOf } from "./operators/index.ts";
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

  // Few tests: the memory of the device is looked at after each of them.
  for (const [table, cases] of groupBy(readCases(), (test) => tableOf(subject(test)))) {
    it(`${table}: ${cases.length}`, async () => {
      const found: Outcome[] = [];
      for (const test of cases) found.push(await tryCase(test));
      outcomes.push(...found);
      expect(found.filter(({ verdict }) => verdict === "wrong" || verdict === "refused")).to.deep.equal([]);
      for (const [operator, group] of groupBy(found, (outcome) => outcome.operator))
        expect(lines).to.include(operatorRow(operator, group));
    });
  }

  it("docs/onnx-tests.md tells the reasons of all exceptions", () => {
    outcomes.sort((a, b) => (a.name < b.name ? -1 : 1));
    expect(writeReport(outcomes).split("\n")).to.deep.equal(lines);
  });
});
