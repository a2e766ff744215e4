/** Cases of the elementwise kernel: every row of the table, every kind of broadcasting, chains. */
import type { Case, CaseInput, Fill } from "../kernel.ts";
import { type DType, isFloat, type Shape, show } from "../spec.ts";
import type { ElementwiseAttrs } from "./elementwise.ts";
import type { Step } from "./expression.ts";
import type { ElementwiseName, Typing } from "./row.ts";
import { elementwiseTable } from "./table.ts";

const normalFill: Fill = (_, uniform) => 4 * (uniform() + uniform() + uniform() - 1.5);
const positive: Fill = (_, uniform) => 0.1 + 3 * uniform();
const unit: Fill = (_, uniform) => 1.98 * uniform() - 0.99;
const aboveOne: Fill = (_, uniform) => 1 + 4 * uniform();
const small: Fill = (_, uniform) => 0.05 * (uniform() - 0.5);
const operandFill: Partial<Record<ElementwiseName, readonly Fill[]>> = {
  log: [positive],
  log2: [positive],
  log1p: [unit],
  expm1: [small],
  sqrt: [positive],
  rsqrt: [positive],
  reciprocal: [positive],
  asin: [unit],
  acos: [unit],
  atanh: [unit],
  acosh: [aboveOne],
  tan: [unit],
  div: [normalFill, positive],
  mod: [normalFill, positive],
  fmod: [normalFill, positive],
  pow: [(index, uniform) => (index % 2 ? -1 : 1) * (0.2 + uniform()), (index) => (index % 5) - 2],
};

const chain = (inputs: number, constants: number[], ...steps: Step[]): ElementwiseAttrs => ({
  expression: { inputs, constants, steps },
});

/** WGSL promises less for these than a correctly rounded operation gives: exp and pow 3 + 2|x| ULP. */
const inexact: Partial<Record<ElementwiseName, number>> = {
  pow: 2e-5,
  tanh: 2e-5,
  erf: 2e-5,
  gelu: 2e-5,
};

/** Numbers at which formulas break. */
const special = [Number.NaN, Infinity, -Infinity, -0, 0, 1, -1, 3, -2, 0.5, -0.5];
/** Every pair of two of them. */
const specialPairs: readonly Fill[] = [
  (index) => special[index % special.length]!,
  (index) => special[Math.floor(index / special.length) % special.length]!,
  (index) => index + 1,
];
/** The ends of the integers and what is near 0. */
const ends: Readonly<Record<"i32" | "u32", readonly number[]>> = {
  i32: [-(2 ** 31), 2 ** 31 - 1, -7, -1, 0, 1, 3, 40, 16777217],
  u32: [0, 1, 2, 3, 31, 33, 2 ** 31, 2 ** 32 - 1, 16777217],
};

type Name = "in0" | "in1" | "in2";
type ElementwiseCase = Case<Name, ElementwiseAttrs>;

/** The types that an operation takes. */
const typesFor: Readonly<Record<Typing, readonly DType[]>> = {
  float: ["f32", "f16"],
  test: ["f32", "f16"],
  number: ["f32", "f16", "i32", "u32"],
  signed: ["f32", "f16", "i32"],
  compare: ["f32", "f16", "i32", "u32"],
  integer: ["i32", "u32"],
  logic: ["bool"],
  equality: ["f32", "f16", "i32", "u32", "bool"],
  select: ["f32", "f16", "i32", "u32", "bool"],
  cast: ["f32", "f16", "i32", "u32", "bool"],
};

/** One operation on one type: usual numbers, four a thread and one a thread. */
function rowCase(
  op: ElementwiseName,
  dtype: DType,
  shape: Shape,
  fills: readonly Fill[] = [],
): ElementwiseCase {
  const { arity, typing } = elementwiseTable[op];
  const args = (["in0", "in1", "in2"] as const).slice(0, arity);
  const input = (k: number): CaseInput => {
    if (typing === "select" && k === 0) return { shape, dtype: "bool" };
    const usual = isFloat(dtype) ? (operandFill[op]?.[k] ?? normalFill) : undefined;
    const fill = fills[k] ?? usual;
    return { shape, dtype, ...(fill ? { fill } : {}) };
  };
  const tolerance = inexact[op];
  return {
    name: `${op} ${dtype} ${show(shape)}`,
    inputs: Object.fromEntries(args.map((name, k) => [name, input(k)])),
    attrs: chain(arity, [], { op, args }),
    ...(tolerance ? { tolerance } : {}),
  };
}

const names = Object.keys(elementwiseTable) as ElementwiseName[];
const rowCases = names.flatMap((op) =>
  typesFor[elementwiseTable[op].typing].map((dtype) => rowCase(op, dtype, [7, 12])),
);

/** Those whose value at special numbers is too coarse to compare. */
const noSpecials: ReadonlySet<ElementwiseName> = new Set(["toF16"]);
const specialCases = names
  .filter((op) => !noSpecials.has(op))
  .flatMap((op): ElementwiseCase[] => {
    const count = special.length ** 2;
    return typesFor[elementwiseTable[op].typing].flatMap((dtype) => {
      if (dtype === "f16" || dtype === "bool") return [];
      const integers = dtype === "f32" ? undefined : ends[dtype];
      const pairs = integers && [
        (index: number) => integers[index % integers.length]!,
        (index: number) => integers[Math.floor(index / integers.length) % integers.length]!,
      ];
      const shape = [pairs ? integers.length ** 2 : count];
      const example = rowCase(op, dtype, shape, pairs ?? specialPairs);
      return [{ ...example, name: `${op} ${dtype} at its ends` }];
    });
  });

const add = chain(2, [], { op: "add", args: ["in0", "in1"] });

export const elementwiseCases: readonly ElementwiseCase[] = [
  ...rowCases,
  ...specialCases,
  ...(["f32", "f16"] as const).flatMap((dtype): ElementwiseCase[] => [
    {
      name: `scalar operand ${dtype}`,
      inputs: { in0: { shape: [3, 8], dtype }, in1: { shape: [], dtype } },
      attrs: add,
    },
    {
      name: `row operand ${dtype}`,
      inputs: { in0: { shape: [3, 8], dtype }, in1: { shape: [3, 1], dtype } },
      attrs: add,
    },
    { name: `${dtype} beside f16`, inputs: { in0: { shape: [4] }, in1: { shape: [], dtype } }, attrs: add },
  ]),
  {
    name: "a choice between f16",
    inputs: {
      in0: { shape: [4, 8], dtype: "bool" },
      in1: { shape: [4, 8], dtype: "f16" },
      in2: { shape: [4, 1], dtype: "f16" },
    },
    attrs: chain(3, [], { op: "where", args: ["in0", "in1", "in2"] }),
  },
  {
    name: "f16 in the middle of a chain",
    inputs: { in0: { shape: [64], fill: (index) => 1 + index / 1024 } },
    attrs: chain(
      1,
      [1],
      { op: "toF16", args: ["in0"] },
      { op: "toF32", args: ["s0"] },
      { op: "sub", args: ["s1", "c0"] },
    ),
  },
  { name: "no elements", inputs: { in0: [0, 4], in1: [4] }, attrs: add },
  {
    name: "constants that f32 cannot hold",
    inputs: { in0: { shape: [8], dtype: "i32", fill: (index) => 2 ** 24 + index } },
    attrs: chain(
      1,
      [16777217, -(2 ** 31)],
      { op: "add", args: ["in0", "c0"] },
      { op: "bitwiseXor", args: ["s0", "c1"] },
    ),
  },
  {
    name: "infinite constants",
    inputs: { in0: [8] },
    attrs: chain(
      1,
      [Infinity, -Infinity],
      { op: "minimum", args: ["in0", "c0"] },
      { op: "maximum", args: ["s0", "c1"] },
    ),
  },
  {
    name: "a constant NaN",
    inputs: { in0: [8] },
    attrs: chain(1, [Number.NaN], { op: "maximum", args: ["in0", "c0"] }, { op: "isNaN", args: ["s0"] }),
  },
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
