/** 1 − cosine similarity along the last axis. */
import { type Case, type CaseInput, defineKernel, type Fill } from "../kernel.ts";
import { bytesOf, type Shape, sizeOf, spec } from "../spec.ts";
import {
  type CosineDistanceAttrs,
  foldPass,
  type PairSizes,
  type PairTiling,
  pairParams,
  pairPass,
  pairScratch,
  pairSizes,
  serialPairs,
  workgroupPairs,
} from "./pairs.ts";

const passes = (sizes: PairSizes, tiling: PairTiling) => [
  pairPass(sizes, tiling),
  foldPass(
    sizes,
    tiling,
    { read: {}, write: { y: "f32" } },
    "  y[i] = 1.0 - sums.x / max(sqrt(sums.y) * sqrt(sums.z), params.epsilon);",
  ),
];

const attrs: CosineDistanceAttrs = { epsilon: 1e-8 };

/** Rows of zeros in one operand, then in both. */
const zeroRows: Fill = (index, uniform) => (index < 12 ? 0 : uniform() - 0.5);
const zeroRow: Fill = (index, uniform) => (index < 6 ? 0 : uniform() - 0.5);

/** Test sizes of forward and gradient. */
export const pairCases = <I extends string>(
  inputs: (a: Shape | CaseInput, b: Shape | CaseInput, rows: Shape) => Record<I, CaseInput | Shape>,
): Case<I, CosineDistanceAttrs>[] => {
  const same = (shape: Shape) => inputs(shape, shape, shape.slice(0, -1));
  return [
    { name: "one element", inputs: same([1]), attrs },
    { name: "odd length", inputs: same([2, 3, 7]), attrs },
    { name: "fours, more rows than a workgroup", inputs: same([67, 12]), attrs },
    { name: "lanes + 1", inputs: same([3, 65]), attrs },
    { name: "two blocks of threads", inputs: same([2, 513]), attrs },
    { name: "many blocks, odd length", inputs: same([2, 20011]), attrs },
    { name: "features of an image flattened", inputs: same([2, 4 * 64 * 257]), attrs },
    { name: "channels of a feature map", inputs: same([2, 16, 16, 128]), attrs, bench: true },
    { name: "[2, 32, 32, 512]", inputs: same([2, 32, 32, 512]), attrs, benchOnly: true },
    { name: "[2, 64·64·256]", inputs: same([2, 64 * 64 * 256]), attrs, benchOnly: true },
  ];
};

/**
 * y = 1 − a·b / max(|a| |b|, ε), the similarity as PyTorch's `cosine_similarity` defines it (0 where a row is all zero).
 * Inputs a and b [..., C]; output y [...]. Long rows are split into blocks whose sums go through scratch.
 */
export const cosineDistance = defineKernel({
  name: "cosineDistance",
  inputs: ["a", "b"],
  outputs: ["y"],
  params: pairParams,
  infer(inputs, { epsilon }: CosineDistanceAttrs) {
    const { rows, columns } = pairSizes("cosineDistance", inputs);
    return { outputs: { y: spec(inputs.a.shape.slice(0, -1)) }, params: { rows, columns, epsilon } };
  },
  variants: [
    {
      name: "block per thread",
      when: ({ adapterClass }) => adapterClass === "software",
      scratch: (_caps, { params }) => pairScratch(params, serialPairs),
      passes: (_caps, { params }) => passes(params, serialPairs),
    },
    {
      name: "block per workgroup",
      scratch: (_caps, { params }) => pairScratch(params, workgroupPairs),
      passes: (_caps, { params }) => passes(params, workgroupPairs),
    },
  ],
  reference({ a, b }, { attrs: { epsilon }, params: { rows, columns } }) {
    const y = new Float64Array(rows);
    for (let row = 0; row < rows; row++) {
      const { product, lengths } = cosineParts(a, b, row, columns);
      y[row] = 1 - product / Math.max(lengths, epsilon);
    }
    return { y };
  },
  cost: ({ inputs, outputs }) => ({
    flops: 6 * sizeOf(inputs.a.shape),
    bytes: 2 * bytesOf(inputs.a) + bytesOf(outputs.y),
  }),
  cases: [
    ...pairCases((a, b) => ({ a, b })),
    {
      name: "rows of zeros",
      inputs: { a: { shape: [4, 6], fill: zeroRows }, b: { shape: [4, 6], fill: zeroRow } },
      attrs,
    },
  ],
  refusals: [
    {
      inputs: { a: [2, 3], b: [3, 3] },
      attrs,
      message: /cosineDistance: a and b must have one shape, but a is \[2, 3\] and b \[3, 3\]/,
    },
    {
      inputs: { a: [], b: [] },
      attrs,
      message: /cosineDistance: a must be \[\.\.\., C\] but is \[\]/,
    },
    {
      inputs: { a: { shape: [2], dtype: "i32" }, b: [2] },
      attrs,
      message: /cosineDistance: a must be f32 but is i32/,
    },
  ],
});

/** a·b and |a| |b| of one row, and the squares of the lengths. */
export function cosineParts(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  row: number,
  columns: number,
): { product: number; lengths: number; squareA: number; squareB: number } {
  let product = 0;
  let squareA = 0;
  let squareB = 0;
  for (let i = row * columns; i < (row + 1) * columns; i++) {
    product += a[i]! * b[i]!;
    squareA += a[i]! * a[i]!;
    squareB += b[i]! * b[i]!;
  }
  return { product, lengths: Math.sqrt(squareA * squareB), squareA, squareB };
}
