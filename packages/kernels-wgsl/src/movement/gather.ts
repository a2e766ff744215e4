/**
 * Rows by index: `y[k, …] = x[index[k], …]`. An index outside of 0 … R − 1 (also a negative one) gives a row of zeros,
 * because a shader cannot refuse it. Its gradient is `scatterAdd`.
 */
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, sizeOf, spec, storageType } from "../spec.ts";
import { checkIndex } from "./rows.ts";

/** Inputs x [R, …] and index [K] (i32 or u32); output y [K, …] of x's type. */
export const gather = defineKernel({
  name: "gather",
  inputs: ["x", "index"],
  outputs: ["y"],
  params: { size: "u32", rows: "u32" },
  infer({ x, index }, _attrs: Record<string, never>) {
    check(x.shape.length >= 1, "gather", "x must have rows, but it is a scalar [].");
    checkIndex("gather", index);
    const shape = [index.shape[0]!, ...x.shape.slice(1)];
    return { outputs: { y: spec(shape, x.dtype) }, params: { size: sizeOf(shape), rows: x.shape[0]! } };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs: { x }, params }) {
        const row = sizeOf(x.shape.slice(1));
        const width = row % 4 === 0 ? 4 : 1;
        const scalar = storageType(x.dtype);
        const element = width === 4 ? `vec4<${scalar}>` : scalar;
        return [
          {
            // An i32 index is read as u32: a negative one becomes huge, and so falls outside like any other.
            read: { x: element, index: "u32" },
            write: { y: element },
            ...gridStride(
              caps,
              params.size / width,
              `params.size / ${width}u`,
              /* wgsl */ `
    let row = index[i / ${row / width}u];
    var value = ${element}(0);
    if (row < params.rows) { value = x[row * ${row / width}u + i % ${row / width}u]; }
    y[i] = value;`,
            ),
          },
        ];
      },
    },
  ],
  reference({ x, index }, { inputs, params }) {
    const row = sizeOf(inputs.x.shape.slice(1));
    const y = new Float64Array(index.length * row);
    index.forEach((r, k) => {
      if (r >= 0 && r < params.rows) y.set(x.subarray(r * row, (r + 1) * row), k * row);
    });
    return { y };
  },
  cost: ({ inputs, outputs }) => ({ flops: 0, bytes: 2 * bytesOf(outputs.y) + bytesOf(inputs.index) }),
  cases: [
    {
      name: "one element",
      inputs: { x: [1], index: { shape: [1], dtype: "u32", fill: () => 0 } },
      attrs: {},
      tolerance: 0,
    },
    { name: "a table", inputs: { x: [1000], index: { shape: [7], dtype: "i32" } }, attrs: {}, tolerance: 0 },
    {
      name: "odd rows",
      inputs: { x: [9, 3, 5], index: { shape: [11], dtype: "i32" } },
      attrs: {},
      tolerance: 0,
    },
    {
      name: "indices outside",
      inputs: { x: [5, 8], index: { shape: [8], dtype: "i32", fill: (k) => k - 2 } },
      attrs: {},
      tolerance: 0,
    },
    {
      name: "bool",
      inputs: { x: { shape: [10, 3], dtype: "bool" }, index: { shape: [4], dtype: "u32" } },
      attrs: {},
    },
    {
      name: "f16",
      inputs: { x: { shape: [10, 4], dtype: "f16" }, index: { shape: [5], dtype: "u32" } },
      attrs: {},
      tolerance: 0,
    },
    {
      name: "images by index",
      inputs: { x: [10, 64, 64, 3], index: { shape: [16], dtype: "i32" } },
      attrs: {},
      tolerance: 0,
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [], index: { shape: [1], dtype: "i32" } },
      attrs: {},
      message: /gather: x must have rows, but it is a scalar \[\]/,
    },
    {
      inputs: { x: [3], index: [2] },
      attrs: {},
      message: /gather: index must be i32 or u32 with one axis but is f32 \[2\]/,
    },
    {
      inputs: { x: [3], index: { shape: [2, 1], dtype: "i32" } },
      attrs: {},
      message: /gather: index must be i32 or u32 with one axis but is i32 \[2, 1\]/,
    },
  ],
});
