/** Which figures of two files are compared, and which are not. */
import { expect } from "chai";
import { compareResults } from "../src/comparison.ts";
import type { CaseResult, Results } from "../src/results.ts";

const result = (name: string, ms: number, more: Partial<CaseResult> = {}): CaseResult => ({
  ...{ name, ms, medianMs: ms, gflops: 0, gbps: 0, percent: 0, note: "" },
  ...more,
});
const file = (...cases: CaseResult[]): Results => ({ adapter: "a", ceilings: null, cases, engine: [] });

/** Names and ratios of the lines that compare something. */
const ratios = (before: Results, after: Results): string[] =>
  compareResults(before, after)
    .filter((line) => line.includes(" ms "))
    .map((line) => line.replace(/ +\S+ ms +\S+ ms +/, ": "));

describe("comparison of two result files", () => {
  const variants = file(
    result("conv2d/a small", 4, { case: "conv2d small" }),
    result("conv2d/b small", 2, { case: "conv2d small" }),
    result("block", 10, { parameters: 7 }),
  );
  const other = file(result("conv2d small", 1), result("block", 5, { parameters: 7 }));

  it("takes equal names", () => {
    const next = file(result("conv2d/b small", 1, { case: "conv2d small" }), result("block", 20));
    expect(ratios(variants, next)).to.deep.equal(["conv2d/b small: 2.00", "block: 0.50"]);
    expect(compareResults(variants, next)).to.include("only before: conv2d/a small");
  });

  it("a new variant is compared with no other", () => {
    const next = file(result("conv2d/c small", 1, { case: "conv2d small" }));
    expect(ratios(variants, next)).to.deep.equal([]);
    expect(compareResults(variants, next)).to.include("only after: conv2d/c small");
  });

  it("takes the fastest variant where the other library has none", () => {
    expect(ratios(variants, other)).to.deep.equal(["conv2d small: 2.00", "block: 2.00"]);
  });

  it("and every variant, the other way round", () => {
    expect(ratios(other, variants)).to.deep.equal([
      "conv2d/a small: 0.25",
      "conv2d/b small: 0.50",
      "block: 0.50",
    ]);
  });

  it("refuses two networks of one name", () => {
    const larger = file(result("block", 5, { parameters: 8 }));
    expect(() => compareResults(variants, larger)).to.throw(/block: the network has 7 parameters .* but 8/);
  });

  it("shows the ceilings of the files that have some", () => {
    const ceilings = {
      copyGbps: 5,
      multiplyAddGflops: 80,
      subgroupMatrixGflops: 400,
      dispatchMicroseconds: 9,
    };
    const lines = compareResults({ ...variants, ceilings }, other);
    expect(lines.filter((line) => line.includes("ceilings"))).to.deep.equal([
      "before ceilings: copy 5.000 GB/s, multiply-add 80.00 GFLOP/s, subgroup matrix 400.0 GFLOP/s, an empty dispatch 9.000 µs",
    ]);
  });
});
