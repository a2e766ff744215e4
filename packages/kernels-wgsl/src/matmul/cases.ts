/** Cases of `matmul`: odd sizes around the tiles of each variant, and sizes of the networks. */
import type { Case } from "../kernel.ts";
import type { EpilogueInput } from "./epilogue.ts";
import type { MatmulAttrs } from "./matmul.ts";

const plain = { transposeA: false, transposeB: false };
const aTransposed = { transposeA: true, transposeB: false };
const bTransposed = { transposeA: false, transposeB: true };
const bothTransposed = { transposeA: true, transposeB: true };

type Operand = "a" | "b" | "bias";

export const cases: readonly Case<Operand, MatmulAttrs>[] = [
  {
    name: "one element",
    inputs: { a: [1, 1], b: [1, 1], bias: [1] },
    attrs: plain,
  },
  {
    name: "prime sizes",
    inputs: { a: [13, 17], b: [17, 11], bias: [11] },
    attrs: plain,
  },
  {
    name: "prime sizes, a transposed",
    inputs: { a: [17, 13], b: [17, 11] },
    attrs: aTransposed,
  },
  {
    name: "prime sizes, b transposed",
    inputs: { a: [13, 17], b: [11, 17], bias: [11] },
    attrs: bTransposed,
  },
  {
    name: "prime sizes, both transposed",
    inputs: { a: [17, 13], b: [11, 17] },
    attrs: bothTransposed,
  },
  {
    name: "batches",
    inputs: { a: [2, 3, 5, 8], b: [2, 3, 8, 12] },
    attrs: plain,
  },
  {
    name: "b shared by batches",
    inputs: { a: [3, 7, 8], b: [8, 12], bias: [12] },
    attrs: plain,
  },
  {
    name: "b shared by batches, a transposed",
    inputs: { a: [3, 8, 7], b: [8, 12] },
    attrs: aTransposed,
  },
  {
    name: "a shared by batches",
    inputs: { a: [7, 8], b: [3, 8, 12], bias: [12] },
    attrs: plain,
  },
  {
    name: "a shared by batches, both transposed",
    inputs: { a: [8, 7], b: [3, 12, 8] },
    attrs: bothTransposed,
  },
  {
    name: "a shared by batches of two axes",
    inputs: { a: [1, 5, 9], b: [2, 3, 9, 7] },
    attrs: plain,
  },
  {
    name: "batches broadcast on both sides",
    inputs: { a: [2, 1, 5, 9], b: [3, 9, 7], bias: [7] },
    attrs: plain,
  },
  {
    name: "batches broadcast in the middle, a transposed",
    inputs: { a: [2, 1, 3, 8, 20], b: [4, 1, 8, 4] },
    attrs: aTransposed,
  },
  {
    name: "no terms: the bias",
    inputs: { a: [2, 5, 0], b: [0, 7], bias: [7] },
    attrs: plain,
  },
  {
    name: "no terms: zeros, both transposed",
    inputs: { a: [2, 0, 40], b: [2, 36, 0] },
    attrs: bothTransposed,
  },
  {
    name: "no rows, no columns, no batches",
    inputs: { a: [0, 4], b: [0, 4, 0] },
    attrs: plain,
  },
  {
    name: "f16",
    inputs: { a: { shape: [9, 12], dtype: "f16" }, b: { shape: [12, 20], dtype: "f16" }, bias: [20] },
    attrs: plain,
  },
  {
    name: "f16, prime sizes, f32 b, both transposed",
    inputs: { a: { shape: [2, 13, 11], dtype: "f16" }, b: [2, 7, 13] },
    attrs: bothTransposed,
  },
  {
    name: "f16 to f32",
    inputs: { a: { shape: [5, 8], dtype: "f16" }, b: { shape: [8, 3], dtype: "f16" } },
    attrs: { ...plain, dtype: "f32" },
  },
  {
    name: "square",
    inputs: { a: [512, 512], b: [512, 512] },
    attrs: plain,
    bench: true,
  },
  {
    name: "many tiles, none of them whole",
    inputs: { a: [451, 19], b: [19, 453], bias: [453] },
    attrs: plain,
  },
  {
    name: "many tiles, none of them whole, both transposed",
    inputs: { a: [19, 451], b: [453, 19] },
    attrs: bothTransposed,
  },
  {
    name: "few rows",
    inputs: { a: [2, 256], b: [256, 1024], bias: [1024] },
    attrs: plain,
    bench: true,
  },
  {
    name: "few rows, b transposed",
    inputs: { a: [3, 1022], b: [255, 1022] },
    attrs: bTransposed,
  },
  {
    name: "one row",
    inputs: { a: [1, 256], b: [256, 64], bias: [64] },
    attrs: plain,
    bench: true,
  },
  {
    name: "one row, to one column",
    inputs: { a: [1, 301], b: [301, 1] },
    attrs: plain,
  },
  {
    name: "one row of so many that k is divided",
    inputs: { a: [1, 8195], b: [8195, 5], bias: [5] },
    attrs: plain,
  },
  {
    name: "two rows, odd sums and columns",
    inputs: { a: [2, 255], b: [255, 33], bias: [33] },
    attrs: plain,
  },
  {
    name: "two rows, b transposed",
    inputs: { a: [2, 67], b: [70, 67] },
    attrs: bTransposed,
  },
  {
    name: "two rows in each of several batches",
    inputs: { a: [3, 2, 72], b: [3, 72, 20], bias: [20] },
    attrs: plain,
  },
  {
    name: "two f16 rows",
    inputs: { a: { shape: [2, 68], dtype: "f16" }, b: { shape: [68, 36], dtype: "f16" }, bias: [36] },
    attrs: plain,
  },
  {
    name: "three rows, a transposed",
    inputs: { a: [131, 3], b: [131, 40] },
    attrs: aTransposed,
  },
  {
    name: "four rows, a short sum",
    inputs: { a: [4, 3], b: [3, 302], bias: [302] },
    attrs: plain,
  },
  {
    name: "fifteen f16 rows, both transposed",
    inputs: { a: { shape: [66, 15], dtype: "f16" }, b: { shape: [21, 66], dtype: "f16" } },
    attrs: bothTransposed,
  },
  {
    name: "fifteen rows, b transposed",
    inputs: { a: [15, 65], b: [37, 65], bias: [37] },
    attrs: bTransposed,
  },
  {
    name: "sixteen rows",
    inputs: { a: [16, 512], b: [512, 128], bias: [128] },
    attrs: plain,
    bench: true,
  },
  {
    name: "seventeen rows",
    inputs: { a: [17, 131], b: [131, 29], bias: [29] },
    attrs: plain,
  },
  {
    name: "long sum",
    inputs: { a: [4099, 33], b: [4099, 37], bias: [37] },
    attrs: aTransposed,
  },
];

/** With something that runs on the product before it is stored. */
export const epilogueCases: readonly Case<Operand | EpilogueInput, MatmulAttrs>[] = [
  {
    name: "epilogue: a residual under another shape",
    inputs: { a: [6, 20], b: [20, 8], bias: [8], in1: [2, 3, 8] },
    attrs: {
      ...plain,
      epilogue: {
        expression: { inputs: 2, constants: [], steps: [{ op: "add", args: ["in0", "in1"] }] },
        product: "in0",
        shape: [2, 3, 8],
      },
    },
  },
  {
    name: "epilogue: long sum, odd columns, a scale",
    inputs: { a: [5, 2000], b: [2000, 7], in1: [1] },
    attrs: {
      ...plain,
      epilogue: {
        expression: {
          inputs: 2,
          constants: [0.5],
          steps: [
            { op: "mul", args: ["in0", "in1"] },
            { op: "maximum", args: ["s0", "c0"] },
          ],
        },
        product: "in0",
        shape: [5, 7],
      },
    },
  },
  {
    name: "epilogue: few rows, another type",
    inputs: { a: [2, 128], b: [128, 24], bias: [24], in1: { shape: [2, 1, 24], dtype: "f16" } },
    attrs: {
      ...plain,
      dtype: "f16",
      epilogue: {
        expression: { inputs: 2, constants: [], steps: [{ op: "mul", args: ["in0", "in1"] }] },
        product: "in0",
        shape: [2, 1, 24],
      },
    },
  },
];
