/**
 * Matrix product `y = a·b + bias` over the last two axes, with a or b transposed where asked:
 * a `[…, M, K]` (`[…, K, M]`), b `[…, K, N]` (`[…, N, K]`), bias `[N]`, y `[…, M, N]`. The batch axes `…` are broadcast by
 * NumPy's rules; nothing is copied for it. Where K is 0, y is the bias, or zeros.
 *
 * WGSL: `matrices.ts` loads the operands for the tilings `workgroupTile.ts` (GPUs), `subgroupMatrixTile.ts` (matrix units) and
 * `registerTile.ts` (software adapters); `product.ts` stores and adds up; `fewRows.ts` holds whole passes.
 * `npm run wgsl -- matmul square` prints what a case runs.
 */
import { broadcastShapes } from "../elementwise/broadcast.ts";
import { check, checkFloat } from "../errors.ts";
import { type Call, defineKernel } from "../kernel.ts";
import { type Axis, coordinatesOf, flatIndex, mergeAxes, walkOffset } from "../movement/walk.ts";
import { bytesOf, type Shape, sameShape, show, sizeOf, spec, stridesOf, type TensorSpec } from "../spec.ts";
import { uniform } from "../uniform.ts";
import { cases, epilogueCases } from "./cases.ts";
import { type EpilogueAttrs, withEpilogue } from "./epilogue.ts";
import { fewRowsVariants } from "./fewRows.ts";
import { type Firsts, matrixProduct } from "./matrices.ts";
import { elementsFor, type Product } from "./product.ts";
import { productVariants } from "./variants.ts";

/** Attributes of `matmul`: which operand has its last two axes swapped. */
export interface MatmulAttrs extends EpilogueAttrs {
  /** Whether a is […, K, M]. */
  readonly transposeA: boolean;
  /** Whether b is […, N, K]. */
  readonly transposeB: boolean;
  /** Type of y; that of a without it. */
  readonly dtype?: "f32" | "f16" | undefined;
}

interface Sizes {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Elements from one matrix of a to the next: 0 where a is one matrix for all batches. */
  readonly strideA: number;
  readonly strideB: number;
}

/** The batch axes of y, by NumPy's rules. */
const batchOf = (a: TensorSpec, b: TensorSpec): Shape =>
  broadcastShapes("matmul, batch axes", [batchAxes(a), batchAxes(b)]);

const batchAxes = ({ shape }: TensorSpec): Shape => shape.slice(0, -2);

function sizesOf(a: TensorSpec, b: TensorSpec, { transposeA, transposeB }: MatmulAttrs): Sizes {
  const [rows, columns] = a.shape.slice(-2) as [number, number];
  const batch = sizeOf(batchOf(a, b));
  const [m, k] = transposeA ? [columns, rows] : [rows, columns];
  const n = b.shape.at(transposeB ? -2 : -1)!;
  const [countA, countB] = [sizeOf(batchAxes(a)), sizeOf(batchAxes(b))];
  // Without a transpose the batches of a lie below one another: one tall matrix, which tiles better.
  if (countB === 1 && !transposeA) return { batch: 1, m: countA * m, n, k, strideA: 0, strideB: 0 };
  return { batch, m, n, k, strideA: countA === 1 ? 0 : k * m, strideB: countB === 1 ? 0 : k * n };
}

/** Where an operand's matrices begin in the batches of y. Only what is repeated along some batch axes has to walk. */
function firstsOf(name: "a" | "b", own: Shape, batch: Shape, stride: number): Firsts {
  if (sizeOf(own) === 1 || sizeOf(own) === sizeOf(batch)) return { outer: stride };
  const strides = stridesOf(own);
  const lead = batch.length - own.length;
  const axes = batch.map((extent, axis): Axis => {
    const repeats = axis < lead || own[axis - lead] === 1;
    return { extent, stride: repeats ? 0 : strides[axis - lead]! };
  });
  return { wgsl: `(${walkOffset("index", mergeAxes(axes), name)}) * ${uniform(`${name}Matrix`, stride)}` };
}

function product({
  inputs,
  attrs: { transposeA, transposeB },
  params: { batch, m, n, k, strideA, strideB },
}: Call<"a" | "b" | "bias", "y", MatmulAttrs, keyof Sizes>): Product {
  const all = batchOf(inputs.a, inputs.b);
  return matrixProduct({
    a: {
      name: "a",
      elements: elementsFor(transposeA ? m : k, inputs.a.dtype),
      first: firstsOf("a", batchAxes(inputs.a), all, strideA),
      stride: transposeA ? m : k,
      transposed: transposeA,
    },
    b: {
      name: "b",
      elements: elementsFor(transposeB ? k : n, inputs.b.dtype),
      first: firstsOf("b", batchAxes(inputs.b), all, strideB),
      stride: transposeB ? k : n,
      transposed: transposeB,
    },
    y: { name: "y", first: { outer: m }, stride: 1 },
    ...{ m, n, k, slices: batch, outputRows: batch * m, bias: inputs.bias !== undefined },
  });
}

/** On the host: which of an operand's matrices each batch of y reads. */
function firstOf(own: Shape, batch: Shape): number[] {
  const strides = stridesOf(own).map((stride, axis) => (own[axis] === 1 ? 0 : stride));
  const lead = batch.length - own.length;
  return Array.from(coordinatesOf(batch), (at) => flatIndex(at.slice(lead), strides));
}

/** Throws ShapeError unless an operand is a float of at least two axes. */
function checkMatrices(name: string, { dtype, shape }: TensorSpec): void {
  checkFloat("matmul", name, dtype);
  check(shape.length >= 2, "matmul", () => `${name} must have at least 2 axes but is ${show(shape)}.`);
}

const plain = defineKernel({
  name: "matmul",
  inputs: ["a", "b", "bias"],
  optional: ["bias"],
  outputs: ["y"],
  params: { batch: "u32", m: "u32", n: "u32", k: "u32", strideA: "u32", strideB: "u32" },
  infer({ a, b, bias }, attrs: MatmulAttrs) {
    checkMatrices("a", a);
    checkMatrices("b", b);
    const batch = batchOf(a, b);
    const [ka, kb] = [a.shape.at(attrs.transposeA ? -2 : -1), b.shape.at(attrs.transposeB ? -1 : -2)];
    check(
      ka === kb,
      "matmul",
      () =>
        `a ${show(a.shape)}${attrs.transposeA ? " transposed" : ""} has ${ka} columns but ` +
        `b ${show(b.shape)}${attrs.transposeB ? " transposed" : ""} has ${kb} rows.`,
    );
    const [m, n] = [a.shape.at(attrs.transposeA ? -1 : -2)!, b.shape.at(attrs.transposeB ? -2 : -1)!];
    if (bias) {
      check(
        bias.dtype === "f32" && sameShape(bias.shape, [n]),
        "matmul",
        () => `bias must be f32 [${n}] but is ${bias.dtype} ${show(bias.shape)}.`,
      );
    }
    return {
      outputs: { y: spec([...batch, m, n], attrs.dtype ?? a.dtype) },
      params: { ...sizesOf(a, b, attrs) },
    };
  },
  variants: [...fewRowsVariants(product), ...productVariants(product)],
  reference({ a, b, bias }, { inputs, outputs, attrs }) {
    const { n, k } = sizesOf(inputs.a, inputs.b, attrs);
    const batch = outputs.y.shape.slice(0, -2);
    const rows = outputs.y.shape.at(-2)!;
    const [firstA, firstB] = [inputs.a, inputs.b].map((operand) => firstOf(batchAxes(operand), batch)) as [
      number[],
      number[],
    ];
    const y = new Float64Array(sizeOf(outputs.y.shape));
    for (let index = 0; index < firstA.length; index++)
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < n; column++) {
          let total = bias ? bias[column]! : 0;
          for (let l = 0; l < k; l++) {
            const left = firstA[index]! * rows * k + (attrs.transposeA ? l * rows + row : row * k + l);
            const right = firstB[index]! * k * n + (attrs.transposeB ? column * k + l : l * n + column);
            total += a[left]! * b[right]!;
          }
          y[(index * rows + row) * n + column] = total;
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
      message: /matmul, batch axes: shapes \[2\] and \[3\] do not broadcast/,
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
