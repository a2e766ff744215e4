/** Joins two tensors along one axis; all other extents are equal. Its gradients are slices. */
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, type Shape, show, sizeOf, spec, storageType } from "../spec.ts";

/** Attributes of `concat`: the axis along which the tensors are joined, from 0 on. */
export interface ConcatAttrs {
  readonly axis: number;
}

/** Both operands as rows `[outer, length]`; a row of `y` is a row of `a` and then one of `b`. */
const rowOf = (shape: Shape, axis: number): number => sizeOf(shape.slice(axis));

/** Inputs a and b of one type, alike but for that axis; output y, whose extent there is the sum of theirs. */
export const concat = defineKernel({
  name: "concat",
  inputs: ["a", "b"],
  outputs: ["y"],
  params: { sizeA: "u32", sizeB: "u32" },
  infer({ a, b }, { axis }: ConcatAttrs) {
    check(a.dtype === b.dtype, "concat", `a is ${a.dtype} but b is ${b.dtype}; cast one of them first.`);
    check(
      Number.isInteger(axis) && axis >= 0 && axis < a.shape.length,
      "concat",
      `axis ${axis} is outside of a ${show(a.shape)}.`,
    );
    check(
      a.shape.length === b.shape.length &&
        a.shape.every((extent, other) => other === axis || extent === b.shape[other]),
      "concat",
      `a ${show(a.shape)} and b ${show(b.shape)} may differ in axis ${axis} only.`,
    );
    const shape = a.shape.map((extent, other) => (other === axis ? extent + b.shape[axis]! : extent));
    return {
      outputs: { y: spec(shape, a.dtype) },
      params: { sizeA: sizeOf(a.shape), sizeB: sizeOf(b.shape) },
    };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs: { a, b }, attrs, params }) {
        const [rowA, rowB] = [rowOf(a.shape, attrs.axis), rowOf(b.shape, attrs.axis)];
        const width = rowA % 4 === 0 && rowB % 4 === 0 ? 4 : 1;
        const [lengthA, lengthB] = [rowA / width, rowB / width];
        const scalar = storageType(a.dtype);
        const element = width === 4 ? `vec4<${scalar}>` : scalar;
        return [
          {
            read: { a: element, b: element },
            write: { y: element },
            // A thread moves one unit of each operand: cheaper than deciding for every unit of y whose it is.
            ...gridStride(
              caps,
              Math.max(params.sizeA, params.sizeB) / width,
              `max(params.sizeA, params.sizeB) / ${width}u`,
              /* wgsl */ `
    if (i < params.sizeA / ${width}u) {
      y[i / ${lengthA}u * ${lengthA + lengthB}u + i % ${lengthA}u] = a[i];
    }
    if (i < params.sizeB / ${width}u) {
      y[i / ${lengthB}u * ${lengthA + lengthB}u + ${lengthA}u + i % ${lengthB}u] = b[i];
    }`,
            ),
          },
        ];
      },
    },
  ],
  reference({ a, b }, { inputs, attrs }) {
    const [rowA, rowB] = [rowOf(inputs.a.shape, attrs.axis), rowOf(inputs.b.shape, attrs.axis)];
    const y = new Float64Array(a.length + b.length);
    for (let row = 0; row * rowA < a.length; row++) {
      y.set(a.subarray(row * rowA, (row + 1) * rowA), row * (rowA + rowB));
      y.set(b.subarray(row * rowB, (row + 1) * rowB), row * (rowA + rowB) + rowA);
    }
    return { y };
  },
  cost: ({ outputs }) => ({ flops: 0, bytes: 2 * bytesOf(outputs.y) }),
  cases: [
    { name: "one element each", inputs: { a: [1], b: [1] }, attrs: { axis: 0 }, tolerance: 0 },
    { name: "first axis", inputs: { a: [2, 3, 5], b: [4, 3, 5] }, attrs: { axis: 0 }, tolerance: 0 },
    { name: "middle axis, odd", inputs: { a: [3, 7, 5], b: [3, 2, 5] }, attrs: { axis: 1 }, tolerance: 0 },
    { name: "channels, odd", inputs: { a: [2, 5, 3, 7], b: [2, 5, 3, 9] }, attrs: { axis: 3 }, tolerance: 0 },
    {
      name: "channels, by four",
      inputs: { a: [1, 5, 3, 8], b: [1, 5, 3, 4] },
      attrs: { axis: 3 },
      tolerance: 0,
    },
    {
      name: "u32",
      inputs: { a: { shape: [3, 2], dtype: "u32" }, b: { shape: [3, 5], dtype: "u32" } },
      attrs: { axis: 1 },
    },
    {
      name: "bool",
      inputs: { a: { shape: [4], dtype: "bool" }, b: { shape: [8], dtype: "bool" } },
      attrs: { axis: 0 },
    },
    {
      name: "f16",
      inputs: { a: { shape: [3, 3], dtype: "f16" }, b: { shape: [3, 2], dtype: "f16" } },
      attrs: { axis: 1 },
      tolerance: 0,
    },
    {
      name: "skip connection",
      inputs: { a: [2, 32, 32, 64], b: [2, 32, 32, 64] },
      attrs: { axis: 3 },
      tolerance: 0,
      bench: true,
    },
    {
      name: "large skip connection",
      inputs: { a: [4, 128, 128, 64], b: [4, 128, 128, 64] },
      attrs: { axis: 3 },
      bench: true,
      benchOnly: true,
    },
  ],
  refusals: [
    {
      inputs: { a: [2, 3], b: { shape: [2, 3], dtype: "i32" } },
      attrs: { axis: 0 },
      message: /concat: a is f32 but b is i32; cast one of them first/,
    },
    {
      inputs: { a: [2, 3], b: [2, 3] },
      attrs: { axis: 2 },
      message: /concat: axis 2 is outside of a \[2, 3\]/,
    },
    {
      inputs: { a: [2, 3], b: [3, 3] },
      attrs: { axis: 1 },
      message: /concat: a \[2, 3\] and b \[3, 3\] may differ in axis 1 only/,
    },
  ],
});
