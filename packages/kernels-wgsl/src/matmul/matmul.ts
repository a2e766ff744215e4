/**
 * Matrix product `y = a·b + bias` over the last two axes, with a or b transposed where asked:
 * a `[…, M, K]` (`[…, K, M]`), b `[…, K, N]` (`[…, N, K]`), bias `[N]`, y `[…, M, N]`. The batch axes `…` are equal, or b
 * has two axes and is shared by all batches.
 *
 * WGSL: `matrices.ts` loads the operands for the tilings `workgroupTile.ts` (GPUs), `subgroupMatrixTile.ts` (matrix units) and
 * `registerTile.ts` (software adapters); `product.ts` stores and adds up; `fewRows.ts` holds whole passes.
 * `npm run wgsl -- matmul square` prints what a case runs.
 */
import { check, checkFloat } from "../errors.ts";
import { type Call, defineKernel } from "../kernel.ts";
import { bytesOf, sameShape, show, sizeOf, spec, type TensorSpec } from "../spec.ts";
import { cases, epilogueCases } from "./cases.ts";
import { type EpilogueAttrs, withEpilogue } from "./epilogue.ts";
import { fewRowsVariants } from "./fewRows.ts";
import { matrixProduct } from "./matrices.ts";
import { elementsFor, type Product } from "./product.ts";
import { productVariants } from "./variants.ts";

/** Attributes of `matmul`: which operand has its last two axes swapped. */
export interface MatmulAttrs extends EpilogueAttrs {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Type of y; that of a without it. */
  readonly dtype?: "f32" | "f16" | undefined;
}

interface Sizes {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Elements from one matrix of b to the next: 0 where b is shared. */
  readonly strideB: number;
}

function sizesOf(a: TensorSpec, b: TensorSpec, { transposeA, transposeB }: MatmulAttrs): Sizes {
  const [rows, columns] = a.shape.slice(-2) as [number, number];
  const batch = sizeOf(a.shape.slice(0, -2));
  const [m, k] = transposeA ? [columns, rows] : [rows, columns];
  const n = b.shape.at(transposeB ? -2 : -1)!;
  const shared = b.shape.length === 2;
  // Without a transpose the batches of a lie below one another: one tall matrix, which tiles better.
  if (shared && !transposeA) return { batch: 1, m: batch * m, n, k, strideB: 0 };
  return { batch, m, n, k, strideB: shared ? 0 : k * n };
}

function product({
  inputs,
  attrs: { transposeA, transposeB },
  params: { batch, m, n, k },
}: Call<"a" | "b" | "bias", "y", MatmulAttrs, "batch" | "m" | "n" | "k" | "strideB">): Product {
  return matrixProduct({
    a: {
      name: "a",
      elements: elementsFor(transposeA ? m : k, inputs.a.dtype),
      first: "index * params.m * params.k",
      stride: transposeA ? "params.m" : "params.k",
      transposed: transposeA,
    },
    b: {
      name: "b",
      elements: elementsFor(transposeB ? k : n, inputs.b.dtype),
      first: "index * params.strideB",
      stride: transposeB ? "params.k" : "params.n",
      transposed: transposeB,
    },
    y: { name: "y", first: "index * params.m", stride: "1u" },
    ...{ m, n, k, slices: batch, bias: inputs.bias !== undefined },
    wgsl: { m: "params.m", n: "params.n", k: "params.k", outputRows: "(params.batch * params.m)" },
  });
}

const plain = defineKernel({
  name: "matmul",
  inputs: ["a", "b", "bias"],
  optional: ["bias"],
  outputs: ["y"],
  params: { batch: "u32", m: "u32", n: "u32", k: "u32", strideB: "u32" },
  infer({ a, b, bias }, attrs: MatmulAttrs) {
    for (const [name, { dtype, shape }] of Object.entries({ a, b })) {
      checkFloat("matmul", name, dtype);
      check(
        shape.length >= 2 && shape.every((extent) => extent > 0),
        "matmul",
        `${name} must have at least 2 axes of at least 1 element but is ${show(shape)}.`,
      );
    }
    const batch = a.shape.slice(0, -2);
    check(
      b.shape.length === 2 || sameShape(batch, b.shape.slice(0, -2)),
      "matmul",
      `a ${show(a.shape)} and b ${show(b.shape)} must have equal batch axes, or b must have 2 axes.`,
    );
    const [ka, kb] = [a.shape.at(attrs.transposeA ? -2 : -1), b.shape.at(attrs.transposeB ? -1 : -2)];
    check(
      ka === kb,
      "matmul",
      `a ${show(a.shape)}${attrs.transposeA ? " transposed" : ""} has ${ka} columns but ` +
        `b ${show(b.shape)}${attrs.transposeB ? " transposed" : ""} has ${kb} rows.`,
    );
    const [m, n] = [a.shape.at(attrs.transposeA ? -1 : -2)!, b.shape.at(attrs.transposeB ? -2 : -1)!];
    if (bias) {
      check(
        bias.dtype === "f32" && sameShape(bias.shape, [n]),
        "matmul",
        `bias must be f32 [${n}] but is ${bias.dtype} ${show(bias.shape)}.`,
      );
    }
    return {
      outputs: { y: spec([...batch, m, n], attrs.dtype ?? a.dtype) },
      params: { ...sizesOf(a, b, attrs) },
    };
  },
  variants: [...fewRowsVariants(product), ...productVariants(product)],
  reference({ a, b, bias }, { inputs, outputs, attrs }) {
    const { batch, m, n, k, strideB } = sizesOf(inputs.a, inputs.b, attrs);
    const y = new Float64Array(sizeOf(outputs.y.shape));
    for (let index = 0; index < batch; index++)
      for (let row = 0; row < m; row++)
        for (let column = 0; column < n; column++) {
          let total = bias ? bias[column]! : 0;
          for (let l = 0; l < k; l++) {
            const left = index * m * k + (attrs.transposeA ? l * m + row : row * k + l);
            const right = index * strideB + (attrs.transposeB ? column * k + l : l * n + column);
            total += a[left]! * b[right]!;
          }
          y[(index * m + row) * n + column] = total;
        }
    return { y };
  },
  cost: ({ inputs, outputs, params }) => ({
    flops: 2 * params.batch * params.m * params.n * params.k,
    bytes: bytesOf(inputs.a) + bytesOf(inputs.b) + bytesOf(outputs.y),
  }),
  cases,
  refusals: [
    {
      inputs: { a: [2, 3], b: [4, 5] },
      attrs: { transposeA: false, transposeB: false },
      message: /matmul: a \[2, 3\] has 3 columns but b \[4, 5\] has 4 rows/,
    },
    {
      inputs: { a: [2, 2, 3], b: [3, 3, 5] },
      attrs: { transposeA: false, transposeB: false },
      message: /matmul: a \[2, 2, 3\] and b \[3, 3, 5\] must have equal batch axes/,
    },
    {
      inputs: { a: [3], b: [3, 5] },
      attrs: { transposeA: false, transposeB: false },
      message: /matmul: a must have at least 2 axes/,
    },
    {
      inputs: { a: [2, 3], b: { shape: [3, 5], dtype: "i32" } },
      attrs: { transposeA: false, transposeB: false },
      message: /matmul: b must be f32/,
    },
    {
      inputs: { a: [2, 3], b: [3, 5], bias: [4] },
      attrs: { transposeA: false, transposeB: false },
      message: /matmul: bias must be f32 \[5\] but is f32 \[4\]/,
    },
  ],
});

/** Inputs a, b, and bias [N] or none; output y […, M, N]. Shapes as above, by what is transposed. */
export const matmul = withEpilogue(plain, "y", epilogueCases);
