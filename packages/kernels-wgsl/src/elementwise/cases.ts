/** Cases of the elementwise kernel: every row of the table, every kind of broadcasting, chains. */
import type { Case, CaseInput, Fill } from "../kernel.ts";
import type { ElementwiseAttrs } from "./elementwise.ts";
import type { Step } from "./expression.ts";
import type { ElementwiseName } from "./row.ts";
import { elementwiseTable } from "./table.ts";

const normalFill: Fill = (_, uniform) => 4 * (uniform() + uniform() + uniform() - 1.5);
const positive: Fill = (_, uniform) => 0.1 + 3 * uniform();
const operandFill: Partial<Record<ElementwiseName, readonly Fill[]>> = {
  log: [positive],
  sqrt: [positive],
  rsqrt: [positive],
  reciprocal: [positive],
  div: [normalFill, positive],
  pow: [(index, uniform) => (index % 2 ? -1 : 1) * (0.2 + uniform()), (index) => (index % 5) - 2],
  toU32: [positive],
  finite: [(index, uniform) => [uniform(), Infinity, -Infinity, Number.NaN, 3.4e38, 0, 1e-40][index % 7]!],
};

const chain = (inputs: number, constants: number[], ...steps: Step[]): ElementwiseAttrs => ({
  expression: { inputs, constants, steps },
});

/** WGSL promises less for these than a correctly rounded operation gives: exp and pow 3 + 2|x| ULP, sin and cos 2^-11. */
const inexact: Partial<Record<ElementwiseName, number>> = {
  sin: 5e-4,
  cos: 5e-4,
  pow: 2e-5,
  tanh: 2e-5,
  erf: 2e-5,
  gelu: 2e-5,
};

const rowCases = (Object.entries(elementwiseTable) as [ElementwiseName, { arity: number; typing: string }][])
  .filter(([op]) => op !== "toF16")
  .map(([op, { arity, typing }]): Case<"in0" | "in1" | "in2", ElementwiseAttrs> => {
    const dtype = (k: number) => (typing === "logic" || (typing === "select" && k === 0) ? "bool" : "f32");
    const input = (k: number): CaseInput => ({
      shape: [7, 12],
      dtype: dtype(k),
      ...(dtype(k) === "f32" ? { fill: operandFill[op]?.[k] ?? normalFill } : {}),
    });
    const args = (["in0", "in1", "in2"] as const).slice(0, arity);
    return {
      name: op,
      inputs: Object.fromEntries(args.map((name, k) => [name, input(k)])),
      attrs: chain(arity, [], { op, args }),
      ...(inexact[op] ? { tolerance: inexact[op] } : {}),
    };
  });

const add = chain(2, [], { op: "add", args: ["in0", "in1"] });

export const elementwiseCases: readonly Case<"in0" | "in1" | "in2", ElementwiseAttrs>[] = [
  ...rowCases,
  { name: "one element", inputs: { in0: [1], in1: [1] }, attrs: add },
  { name: "scalars", inputs: { in0: [], in1: [] }, attrs: add },
  { name: "prime size", inputs: { in0: [257], in1: [257] }, attrs: add },
  { name: "scalar operand", inputs: { in0: [3, 8], in1: [] }, attrs: add },
  { name: "bias over channels", inputs: { in0: [2, 5, 5, 8], in1: [8] }, attrs: add },
  { name: "bias over odd channels", inputs: { in0: [2, 5, 5, 7], in1: [7] }, attrs: add },
  { name: "one value an image", inputs: { in0: [3, 4, 4, 4], in1: [3, 1, 1, 1] }, attrs: add },
  { name: "time embedding", inputs: { in0: [2, 3, 3, 8], in1: [2, 1, 1, 8] }, attrs: add },
  { name: "both broadcast", inputs: { in0: [4, 1, 6], in1: [5, 1] }, attrs: add },
  {
    name: "unsigned",
    inputs: { in0: { shape: [9], dtype: "u32" }, in1: { shape: [9], dtype: "u32" } },
    attrs: add,
  },
  {
    name: "chain with constants",
    inputs: { in0: [2, 8, 8, 4], in1: [4] },
    attrs: chain(
      2,
      [0.5, 2],
      { op: "mul", args: ["in0", "c0"] },
      { op: "add", args: ["s0", "in1"] },
      { op: "sigmoid", args: ["s1"] },
      { op: "mul", args: ["s2", "s0"] },
      { op: "sub", args: ["c1", "s3"] },
    ),
  },
  {
    name: "unsigned with a constant",
    inputs: { in0: { shape: [2, 4], dtype: "u32" } },
    attrs: chain(1, [3], { op: "mul", args: ["in0", "c0"] }),
  },
  {
    name: "compare, then select with a constant",
    inputs: { in0: [33], in1: [33] },
    attrs: chain(2, [0], { op: "greater", args: ["in0", "c0"] }, { op: "where", args: ["s0", "in1", "c0"] }),
  },
  {
    name: "feature map sum",
    inputs: { in0: [2, 32, 32, 64], in1: [2, 32, 32, 64] },
    attrs: add,
    bench: true,
  },
  {
    name: "large sum",
    inputs: { in0: [2, 64, 64, 128], in1: [2, 64, 64, 128] },
    attrs: add,
    bench: true,
    benchOnly: true,
  },
];
