/**
 * Elements by index along one axis: for axis 0 `y[k…, …] = x[index[k…], …]`. Negative indices count from the end. An index
 * outside of −R … R − 1 gives zeros, because a shader cannot refuse it. Its gradient is `scatterAdd`.
 */
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, sizeOf, spec, storageType } from "../spec.ts";
import { checkAxis, checkIndex, type RowAttrs, rowCode, rowOf, rowSize } from "./rows.ts";

/** Inputs x of any type and index of any shape (i32 or u32); output y: the shape of x with the index's in place of the axis. */
export const gather = defineKernel({
  name: "gather",
  inputs: ["x", "index"],
  outputs: ["y"],
  params: { size: "u32", rows: "u32" },
  infer({ x, index }, { axis }: RowAttrs) {
    checkAxis("gather", "x", x.shape, axis);
    checkIndex("gather", index);
    const shape = [...x.shape.slice(0, axis), ...index.shape, ...x.shape.slice(axis + 1)];
    return { outputs: { y: spec(shape, x.dtype) }, params: { size: sizeOf(shape), rows: x.shape[axis]! } };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs: { x, index }, attrs: { axis }, params }) {
        const size = rowSize(x.shape, axis);
        const width = size % 4 === 0 ? 4 : 1;
        const [row, places] = [size / width, sizeOf(index.shape)];
        const scalar = storageType(x.dtype);
        const element = width === 4 ? `vec4<${scalar}>` : scalar;
        const slices = sizeOf(x.shape.slice(0, axis));
        const place = row === 1 ? "i" : `i / ${row}u`;
        return [
          {
            read: { x: element, index: index.dtype },
            write: { y: element },
            ...gridStride(
              caps,
              params.size / width,
              `params.size / ${width}u`,
              /* wgsl */ `
    let place = ${place};
    ${rowCode(index, slices === 1 ? "place" : `place % ${places}u`, "params.rows")}
    var value = ${element}(0);
    if (row < params.rows) {
      value = x[${slices === 1 ? "row" : `(place / ${places}u * params.rows + row)`} * ${row}u + i % ${row}u];
    }
    y[i] = value;`,
            ),
          },
        ];
      },
    },
  ],
  reference({ x, index }, { inputs, outputs, attrs: { axis }, params: { rows } }) {
    const size = rowSize(inputs.x.shape, axis);
    const y = new Float64Array(sizeOf(outputs.y.shape));
    for (let place = 0; place * size < y.length; place++) {
      const row = rowOf(index[place % index.length]!, rows);
      const from = (Math.floor(place / index.length) * rows + row) * size;
      if (row >= 0) y.set(x.subarray(from, from + size), place * size);
    }
    return { y };
  },
  cost: ({ inputs, outputs }) => ({ flops: 0, bytes: 2 * bytesOf(outputs.y) + bytesOf(inputs.index) }),
  cases: [
    {
      name: "one element",
      inputs: { x: [1], index: { shape: [1], dtype: "u32", fill: () => 0 } },
      attrs: { axis: 0 },
      tolerance: 0,
    },
    {
      name: "a table",
      inputs: { x: [1000], index: { shape: [7], dtype: "i32" } },
      attrs: { axis: 0 },
      tolerance: 0,
    },
    {
      name: "odd rows",
      inputs: { x: [9, 3, 5], index: { shape: [11], dtype: "i32" } },
      attrs: { axis: 0 },
      tolerance: 0,
    },
    {
      name: "a scalar index",
      inputs: { x: [9, 3, 5], index: { shape: [], dtype: "i32", fill: () => -9 } },
      attrs: { axis: 0 },
      tolerance: 0,
    },
    {
      name: "an index of two axes along a middle axis",
      inputs: { x: [3, 10, 5], index: { shape: [2, 7], dtype: "u32" } },
      attrs: { axis: 1 },
      tolerance: 0,
    },
    {
      name: "along the last axis",
      inputs: { x: [3, 2, 11], index: { shape: [4], dtype: "i32" } },
      attrs: { axis: 2 },
      tolerance: 0,
    },
    {
      name: "indices from the end and outside, along a middle axis by four",
      inputs: { x: [3, 5, 8], index: { shape: [13], dtype: "i32", fill: (k) => k - 7 } },
      attrs: { axis: 1 },
      tolerance: 0,
    },
    {
      name: "indices outside of u32",
      inputs: { x: [5, 3], index: { shape: [4], dtype: "u32", fill: (k) => 2 ** 32 - 2 + 3 * (k % 2) } },
      attrs: { axis: 0 },
      tolerance: 0,
    },
    {
      name: "the ends of i32",
      inputs: { x: [5, 3], index: { shape: [2], dtype: "i32", fill: (k) => (k ? 2 ** 31 - 1 : -(2 ** 31)) } },
      attrs: { axis: 0 },
      tolerance: 0,
    },
    {
      name: "of no rows",
      inputs: { x: [0, 3], index: { shape: [4], dtype: "i32" } },
      attrs: { axis: 0 },
      tolerance: 0,
    },
    {
      name: "no index",
      inputs: { x: [4, 3], index: { shape: [0], dtype: "i32" } },
      attrs: { axis: 1 },
      tolerance: 0,
    },
    {
      name: "bool",
      inputs: { x: { shape: [10, 3], dtype: "bool" }, index: { shape: [4], dtype: "u32" } },
      attrs: { axis: 0 },
    },
    {
      name: "f16",
      inputs: { x: { shape: [10, 4], dtype: "f16" }, index: { shape: [5], dtype: "u32" } },
      attrs: { axis: 0 },
      tolerance: 0,
    },
    {
      name: "i32 along the last axis",
      inputs: { x: { shape: [4, 10], dtype: "i32" }, index: { shape: [5], dtype: "i32" } },
      attrs: { axis: 1 },
    },
    {
      name: "images by index",
      inputs: { x: [10, 64, 64, 3], index: { shape: [16], dtype: "i32" } },
      attrs: { axis: 0 },
      tolerance: 0,
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [], index: { shape: [1], dtype: "i32" } },
      attrs: { axis: 0 },
      message: /gather: x must have an axis, but it is a scalar \[\]/,
    },
    {
      inputs: { x: [3, 2], index: { shape: [1], dtype: "i32" } },
      attrs: { axis: 2 },
      message: /gather: axis 2 is outside of x \[3, 2\]/,
    },
    {
      inputs: { x: [3], index: [2] },
      attrs: { axis: 0 },
      message: /gather: index must be i32 or u32 but is f32 \[2\]; cast it first/,
    },
  ],
});
