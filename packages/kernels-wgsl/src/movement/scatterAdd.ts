/**
 * The gradient of `gather`: `xGradient[r, …] = Σ gradient[k, …]` over all k with `index[k] = r`. Deterministic: each
 * output element walks through the indices in order. Indices outside of 0 … rows − 1 are left out.
 */
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, show, sizeOf, spec, storageType } from "../spec.ts";
import { checkIndex } from "./rows.ts";

/** Attributes of `scatterAdd`. */
export interface ScatterAddAttrs {
  /** Rows of the result. */
  readonly rows: number;
}

/** Inputs gradient [K, …] of any type but bool and index [K] (i32 or u32); output xGradient [rows, …]. */
export const scatterAdd = defineKernel({
  name: "scatterAdd",
  inputs: ["gradient", "index"],
  outputs: ["xGradient"],
  params: { size: "u32", terms: "u32" },
  infer({ gradient, index }, { rows }: ScatterAddAttrs) {
    check(gradient.dtype !== "bool", "scatterAdd", "gradient is bool, which has no sum; cast it first.");
    checkIndex("scatterAdd", index);
    check(
      gradient.shape.length >= 1 && gradient.shape[0] === index.shape[0],
      "scatterAdd",
      `gradient ${show(gradient.shape)} must have one row for each of the ${index.shape[0]} indices.`,
    );
    check(
      Number.isInteger(rows) && rows >= 1,
      "scatterAdd",
      `rows must be a whole number of at least 1 but is ${rows}.`,
    );
    const shape = [rows, ...gradient.shape.slice(1)];
    return {
      outputs: { xGradient: spec(shape, gradient.dtype) },
      params: { size: sizeOf(shape), terms: index.shape[0]! },
    };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs: { gradient }, params }) {
        const row = sizeOf(gradient.shape.slice(1));
        const width = row % 4 === 0 ? 4 : 1;
        const vector = (scalar: string) => (width === 4 ? `vec4<${scalar}>` : scalar);
        const element = vector(storageType(gradient.dtype));
        // Halves are summed in f32: an f16 sum would lose the small terms.
        const total = gradient.dtype === "f16" ? vector("f32") : element;
        return [
          {
            read: { gradient: element, index: "u32" },
            write: { xGradient: element },
            ...gridStride(
              caps,
              params.size / width,
              `params.size / ${width}u`,
              /* wgsl */ `
    let row = i / ${row / width}u;
    let column = i % ${row / width}u;
    var total = ${total}(0);
    for (var k = 0u; k < params.terms; k++) {
      if (index[k] == row) { total += ${total}(gradient[k * ${row / width}u + column]); }
    }
    xGradient[i] = ${element}(total);`,
            ),
          },
        ];
      },
    },
  ],
  reference({ gradient, index }, { outputs, attrs }) {
    const row = sizeOf(outputs.xGradient.shape.slice(1));
    const xGradient = new Float64Array(attrs.rows * row);
    index.forEach((r, k) => {
      if (r < 0 || r >= attrs.rows) return;
      for (let j = 0; j < row; j++) xGradient[r * row + j]! += gradient[k * row + j]!;
    });
    return { xGradient };
  },
  cost: ({ inputs, outputs }) => ({
    flops: sizeOf(inputs.gradient.shape),
    bytes: bytesOf(inputs.gradient) + bytesOf(inputs.index) + bytesOf(outputs.xGradient),
  }),
  cases: [
    {
      name: "one element",
      inputs: { gradient: [1], index: { shape: [1], dtype: "u32", fill: () => 0 } },
      attrs: { rows: 1 },
    },
    {
      name: "odd rows, repeated indices",
      inputs: { gradient: [31, 3, 5], index: { shape: [31], dtype: "i32" } },
      attrs: { rows: 10 },
    },
    {
      name: "indices outside",
      inputs: { gradient: [8, 8], index: { shape: [8], dtype: "i32", fill: (k) => k - 2 } },
      attrs: { rows: 5 },
    },
    {
      name: "i32",
      inputs: { gradient: { shape: [9, 3], dtype: "i32" }, index: { shape: [9], dtype: "u32" } },
      attrs: { rows: 11 },
    },
    {
      name: "f16",
      inputs: { gradient: { shape: [20, 4], dtype: "f16" }, index: { shape: [20], dtype: "i32" } },
      attrs: { rows: 7 },
    },
    {
      name: "rows of a table",
      inputs: { gradient: [32, 256], index: { shape: [32], dtype: "i32" } },
      attrs: { rows: 1000 },
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { gradient: { shape: [2], dtype: "bool" }, index: { shape: [2], dtype: "i32" } },
      attrs: { rows: 3 },
      message: /scatterAdd: gradient is bool, which has no sum; cast it first/,
    },
    {
      inputs: { gradient: [2], index: [2] },
      attrs: { rows: 3 },
      message: /scatterAdd: index must be i32 or u32 with one axis but is f32 \[2\]/,
    },
    {
      inputs: { gradient: [3, 2], index: { shape: [2], dtype: "i32" } },
      attrs: { rows: 3 },
      message: /scatterAdd: gradient \[3, 2\] must have one row for each of the 2 indices/,
    },
    {
      inputs: { gradient: [2], index: { shape: [2], dtype: "i32" } },
      attrs: { rows: 0 },
      message: /scatterAdd: rows must be a whole number of at least 1 but is 0/,
    },
  ],
});
