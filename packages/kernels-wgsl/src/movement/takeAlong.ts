/**
 * Elements by a place of their own along one axis, as NumPy's take_along_axis and torch.gather: for axis 1
 * `y[i, j, k] = x[i, index[i, j, k], k]`. Negative indices count from the end; one outside of −R … R − 1 gives zero.
 */
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, type Shape, show, sizeOf, spec, storageType, stridesOf } from "../spec.ts";
import { checkAxis, checkIndex, type RowAttrs, rowCode, rowOf } from "./rows.ts";
import { coordinatesOf, flatIndex, mergeAxes, walkOffset } from "./walk.ts";

/** Attributes of `takeAlong`. */
export interface TakeAlongAttrs extends RowAttrs {
  /** Zero where a later index along the axis names the same place: only what `scatter` has kept there. Default false. */
  readonly last?: boolean;
}

/** Throws unless an index lies, but for one axis, inside of `x`. */
export function checkAlong(op: string, x: Shape, index: Shape, axis: number): void {
  checkAxis(op, "x", x, axis);
  check(
    index.length === x.length && index.every((extent, other) => other === axis || extent <= x[other]!),
    op,
    () => `index ${show(index)} must have as many axes as x ${show(x)}, and none larger but axis ${axis}.`,
  );
}

/** Inputs x of any type and index (i32 or u32) with as many axes; output y with the shape of the index. */
export const takeAlong = defineKernel({
  name: "takeAlong",
  inputs: ["x", "index"],
  outputs: ["y"],
  params: { size: "u32", rows: "u32" },
  infer({ x, index }, { axis }: TakeAlongAttrs) {
    checkIndex("takeAlong", index);
    checkAlong("takeAlong", x.shape, index.shape, axis);
    return {
      outputs: { y: spec(index.shape, x.dtype) },
      params: { size: sizeOf(index.shape), rows: x.shape[axis]! },
    };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs: { x, index }, attrs: { axis, last }, params }) {
        const strides = stridesOf(x.shape);
        const step = stridesOf(index.shape)[axis]!;
        const terms = index.shape[axis]!;
        const others = mergeAxes(
          index.shape.map((extent, other) => ({ extent, stride: other === axis ? 0 : strides[other]! })),
        );
        const scalar = storageType(x.dtype);
        const later = /* wgsl */ `
    for (var j = i / ${step}u % ${terms}u + 1u; j < ${terms}u; j++) {
      let other = i + (j - i / ${step}u % ${terms}u) * ${step}u;
      if (placeAt(other) == row) { kept = false; }
    }`;
        const loop = gridStride(
          caps,
          params.size,
          "params.size",
          /* wgsl */ `
    let row = placeAt(i);
    var kept = row < params.rows;${last ? later : ""}
    var value = ${scalar}(0);
    if (kept) { value = x[${walkOffset("i", others)} + row * ${strides[axis]}u]; }
    y[i] = value;`,
        );
        return [
          {
            read: { x: scalar, index: index.dtype },
            write: { y: scalar },
            workgroups: loop.workgroups,
            code: /* wgsl */ `
fn placeAt(at: u32) -> u32 {
    ${rowCode(index, "at", "params.rows")}
    return row;
}
${loop.code}`,
          },
        ];
      },
    },
  ],
  reference({ x, index }, { inputs, attrs: { axis, last = false }, params: { rows } }) {
    const strides = stridesOf(inputs.x.shape);
    const { shape } = inputs.index;
    const [step, terms] = [stridesOf(shape)[axis]!, shape[axis]!];
    const y = new Float64Array(index.length);
    let i = 0;
    for (const at of coordinatesOf(shape)) {
      const row = rowOf(index[i]!, rows);
      let kept = row >= 0;
      for (let j = at[axis]! + 1; last && j < terms; j++)
        if (rowOf(index[i + (j - at[axis]!) * step]!, rows) === row) kept = false;
      if (kept) y[i] = x[flatIndex(at.with(axis, row), strides)]!;
      i++;
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
      name: "along the last axis",
      inputs: { x: [3, 10], index: { shape: [3, 7], dtype: "i32" } },
      attrs: { axis: 1 },
      tolerance: 0,
    },
    {
      name: "along a middle axis, fewer of the others",
      inputs: { x: [4, 10, 5], index: { shape: [3, 13, 2], dtype: "u32" } },
      attrs: { axis: 1 },
      tolerance: 0,
    },
    {
      name: "along the first axis, from the end and outside",
      inputs: { x: [5, 3], index: { shape: [14, 3], dtype: "i32", fill: (k) => (k % 14) - 7 } },
      attrs: { axis: 0 },
      tolerance: 0,
    },
    {
      name: "the last of those that name one place",
      inputs: { x: [3, 4, 5], index: { shape: [3, 9, 5], dtype: "i32", fill: (k) => ((k * 7) % 9) - 4 } },
      attrs: { axis: 1, last: true },
      tolerance: 0,
    },
    {
      name: "no index",
      inputs: { x: [3, 4], index: { shape: [3, 0], dtype: "i32" } },
      attrs: { axis: 1 },
      tolerance: 0,
    },
    {
      name: "bool",
      inputs: { x: { shape: [3, 10], dtype: "bool" }, index: { shape: [3, 4], dtype: "i32" } },
      attrs: { axis: 1 },
    },
    {
      name: "f16",
      inputs: { x: { shape: [3, 10], dtype: "f16" }, index: { shape: [3, 4], dtype: "i32" } },
      attrs: { axis: 1 },
      tolerance: 0,
    },
    {
      name: "one class of a thousand",
      inputs: {
        x: [256, 1000],
        index: { shape: [256, 1], dtype: "i32", fill: (k) => (k * 37) % 1000 },
      },
      attrs: { axis: 1 },
      tolerance: 0,
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [3, 2], index: [3, 2] },
      attrs: { axis: 0 },
      message: /takeAlong: index must be i32 or u32 but is f32 \[3, 2\]/,
    },
    {
      inputs: { x: [3, 2], index: { shape: [3], dtype: "i32" } },
      attrs: { axis: 0 },
      message: /takeAlong: index \[3\] must have as many axes as x \[3, 2\], and none larger but axis 0/,
    },
    {
      inputs: { x: [3, 2], index: { shape: [1, 3], dtype: "i32" } },
      attrs: { axis: 0 },
      message: /takeAlong: index \[1, 3\] must have as many axes as x \[3, 2\]/,
    },
  ],
});
