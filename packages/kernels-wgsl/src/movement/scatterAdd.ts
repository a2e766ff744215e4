/**
 * The gradient of `gather`: for axis 0 `xGradient[r, …] = Σ gradient[k…, …]` over all k with `index[k…] = r`. Deterministic: each
 * output element sums in the order of the indices. Negative indices count from the end; those outside are left out.
 */
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { type Call, defineKernel } from "../kernel.ts";
import { bytesOf, sameShape, show, sizeOf, spec, storageType } from "../spec.ts";
import { checkIndex, type RowAttrs, rowCode, rowOf, rowSize } from "./rows.ts";
import { chainPasses, prefersChains, type RowSums } from "./scatterChains.ts";

/** Attributes of `scatterAdd`. */
export interface ScatterAddAttrs extends RowAttrs {
  /** Rows of the result: its extent along the axis. */
  readonly rows: number;
}

/** The sizes of a call that the passes use. */
function sumsOf({
  inputs: { gradient, index },
  outputs,
  attrs: { axis },
  params,
}: Call<"gradient" | "index", "xGradient", ScatterAddAttrs, "rows" | "terms">): RowSums {
  const size = rowSize(outputs.xGradient.shape, axis);
  const width = size % 4 === 0 ? 4 : 1;
  const vector = (scalar: string) => (width === 4 ? `vec4<${scalar}>` : scalar);
  return {
    index,
    row: size / width,
    slices: sizeOf(gradient.shape.slice(0, axis)),
    rows: params.rows,
    terms: params.terms,
    element: vector(storageType(gradient.dtype)),
    // f16 values are summed in f32: an f16 sum would lose the small terms.
    total: vector(gradient.dtype === "f16" ? "f32" : storageType(gradient.dtype)),
  };
}

/** Inputs gradient of any type but bool and index (i32 or u32); output xGradient: the index's axes, from `axis` on, become one of `rows`. */
export const scatterAdd = defineKernel({
  name: "scatterAdd",
  inputs: ["gradient", "index"],
  outputs: ["xGradient"],
  params: { rows: "u32", terms: "u32" },
  infer({ gradient, index }, { axis, rows }: ScatterAddAttrs) {
    check(gradient.dtype !== "bool", "scatterAdd", "gradient is bool, which has no sum; cast it first.");
    checkIndex("scatterAdd", index);
    const behind = axis + index.shape.length;
    check(
      Number.isInteger(axis) && axis >= 0 && sameShape(gradient.shape.slice(axis, behind), index.shape),
      "scatterAdd",
      () =>
        `gradient ${show(gradient.shape)} must have the axes of index ${show(index.shape)} from axis ${axis} on.`,
    );
    check(
      Number.isInteger(rows) && rows >= 0,
      "scatterAdd",
      () => `rows must be a whole number of at least 0 but is ${rows}.`,
    );
    const shape = [...gradient.shape.slice(0, axis), rows, ...gradient.shape.slice(behind)];
    return {
      outputs: { xGradient: spec(shape, gradient.dtype) },
      params: { rows, terms: sizeOf(index.shape) },
    };
  },
  variants: [
    {
      name: "chains",
      when: (_caps, call) => prefersChains(sumsOf(call)),
      scratch: (_caps, { params }) => ({ chain: spec([params.terms], "u32") }),
      passes: (caps, call) => chainPasses(caps, sumsOf(call)),
    },
    {
      name: "direct",
      passes(caps, call) {
        const { index, row, slices, rows, element, total } = sumsOf(call);
        return [
          {
            read: { gradient: element, index: index.dtype },
            write: { xGradient: element },
            ...gridStride(
              caps,
              slices * rows * row,
              `${slices * row}u * params.rows`,
              /* wgsl */ `
    let place = i / ${row}u;
    let own = ${slices === 1 ? "place" : "place % params.rows"};
    let first = ${slices === 1 ? "" : `place / params.rows * params.terms * ${row}u + `}i % ${row}u;
    var total = ${total}(0);
    for (var k = 0u; k < params.terms; k++) {
      ${rowCode(index, "k", "params.rows")}
      if (row == own) { total += ${total}(gradient[first + k * ${row}u]); }
    }
    xGradient[i] = ${element}(total);`,
            ),
          },
        ];
      },
    },
  ],
  reference({ gradient, index }, { outputs, attrs: { axis, rows } }) {
    const { shape } = outputs.xGradient;
    const size = rowSize(shape, axis);
    const xGradient = new Float64Array(sizeOf(shape));
    for (let place = 0; place * size < gradient.length; place++) {
      const row = rowOf(index[place % index.length]!, rows);
      if (row < 0) continue;
      const to = (Math.floor(place / index.length) * rows + row) * size;
      for (let j = 0; j < size; j++) xGradient[to + j]! += gradient[place * size + j]!;
    }
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
      attrs: { axis: 0, rows: 1 },
    },
    {
      name: "odd rows, repeated indices",
      inputs: { gradient: [31, 3, 5], index: { shape: [31], dtype: "i32" } },
      attrs: { axis: 0, rows: 10 },
    },
    {
      name: "indices from the end and outside",
      inputs: { gradient: [14, 8], index: { shape: [14], dtype: "i32", fill: (k) => k - 7 } },
      attrs: { axis: 0, rows: 5 },
    },
    {
      name: "an index of two axes along a middle axis",
      inputs: { gradient: [2, 3, 4, 8], index: { shape: [3, 4], dtype: "i32" } },
      attrs: { axis: 1, rows: 10 },
    },
    {
      name: "along the last axis",
      inputs: { gradient: [3, 2, 11], index: { shape: [11], dtype: "u32" } },
      attrs: { axis: 2, rows: 7 },
    },
    {
      name: "a scalar index",
      inputs: { gradient: [3, 5], index: { shape: [], dtype: "i32", fill: () => -1 } },
      attrs: { axis: 1, rows: 4 },
    },
    {
      name: "no index",
      inputs: { gradient: [0, 3], index: { shape: [0], dtype: "i32" } },
      attrs: { axis: 0, rows: 4 },
    },
    {
      name: "to no rows",
      inputs: { gradient: [2, 3], index: { shape: [2], dtype: "i32" } },
      attrs: { axis: 0, rows: 0 },
    },
    {
      name: "i32",
      inputs: { gradient: { shape: [9, 3], dtype: "i32" }, index: { shape: [9], dtype: "u32" } },
      attrs: { axis: 0, rows: 11 },
    },
    {
      name: "f16",
      inputs: { gradient: { shape: [20, 4], dtype: "f16" }, index: { shape: [20], dtype: "i32" } },
      attrs: { axis: 0, rows: 7 },
    },
    {
      name: "many rows, repeated, from the end and outside, along a middle axis",
      inputs: {
        gradient: { shape: [2, 101, 7], dtype: "f16" },
        index: { shape: [101], dtype: "i32", fill: (k) => (k % 37) * 173 - 3100 },
      },
      attrs: { axis: 1, rows: 3000 },
    },
    {
      name: "a vocabulary",
      inputs: { gradient: [512, 256], index: { shape: [512], dtype: "u32", fill: (k) => (k * k) % 401 } },
      attrs: { axis: 0, rows: 20000 },
      bench: true,
    },
    {
      name: "rows of a table",
      inputs: { gradient: [32, 256], index: { shape: [32], dtype: "i32" } },
      attrs: { axis: 0, rows: 1000 },
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { gradient: { shape: [2], dtype: "bool" }, index: { shape: [2], dtype: "i32" } },
      attrs: { axis: 0, rows: 3 },
      message: /scatterAdd: gradient is bool, which has no sum; cast it first/,
    },
    {
      inputs: { gradient: [2], index: [2] },
      attrs: { axis: 0, rows: 3 },
      message: /scatterAdd: index must be i32 or u32 but is f32 \[2\]/,
    },
    {
      inputs: { gradient: [3, 2], index: { shape: [2], dtype: "i32" } },
      attrs: { axis: 0, rows: 3 },
      message: /scatterAdd: gradient \[3, 2\] must have the axes of index \[2\] from axis 0 on/,
    },
    {
      inputs: { gradient: [2], index: { shape: [2], dtype: "i32" } },
      attrs: { axis: 0, rows: 0.5 },
      message: /scatterAdd: rows must be a whole number of at least 0 but is 0.5/,
    },
  ],
});
