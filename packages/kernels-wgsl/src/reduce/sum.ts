/** Sum over some axes: the backbone of reductions and of the gradients of broadcasting. */
import { check } from "../errors.ts";
import { defineKernel, grid, perThread } from "../kernel.ts";
import { bytesOf, ceilDiv, show, sizeOf, spec, stridesOf } from "../spec.ts";
import { blocksOf, loopsOf, offset } from "./loops.ts";

/** The axes to reduce become extents of 1. */
export interface SumAttrs {
  readonly axes: readonly number[];
}

const workgroupSize = 64;

export const sum = defineKernel({
  name: "sum",
  inputs: ["x"],
  outputs: ["y"],
  params: { outputs: "u32", reduced: "u32" },
  infer({ x }, { axes }: SumAttrs) {
    check(x.dtype === "f32", "sum", `x must be f32 but is ${x.dtype}; cast it first.`);
    for (const axis of axes) {
      check(axis >= 0 && axis < x.shape.length, "sum", `axis ${axis} is outside of x ${show(x.shape)}.`);
    }
    const shape = x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
    return {
      outputs: { y: spec(shape) },
      params: { outputs: sizeOf(shape), reduced: sizeOf(x.shape) / Math.max(1, sizeOf(shape)) },
    };
  },
  variants: [
    {
      // Many terms for few outputs: blocks of terms are summed side by side, then the partial sums in a second pass.
      name: "split",
      when: (_caps, { params }) =>
        params.reduced >= 256 && params.outputs * 4 < params.reduced * 64 && params.outputs < 65536,
      scratch: (_caps, { params }) => ({ partial: spec([blocksOf(params), params.outputs]) }),
      passes(_caps, { inputs, attrs, params }) {
        const loops = loopsOf(inputs.x.shape, attrs.axes);
        const blocks = blocksOf(params);
        const terms = ceilDiv(params.reduced, blocks);
        return [
          {
            label: "partial",
            read: { x: "f32" },
            write: { partial: "f32" },
            workgroups: grid(ceilDiv(blocks * params.outputs, workgroupSize)),
            code: perThread(
              workgroupSize,
              /* wgsl */ `
  if (i >= ${blocks}u * params.outputs) { return; }
  let output = i % params.outputs;
  let first = (i / params.outputs) * ${terms}u;
  let base = ${offset(
    "output",
    loops.filter(({ kept }) => kept),
  )};
  var total = 0.0;
  for (var r = first; r < min(first + ${terms}u, params.reduced); r++) {
    total += x[base + ${offset(
      "r",
      loops.filter(({ kept }) => !kept),
    )}];
  }
  partial[i] = total;`,
            ),
          },
          {
            label: "total",
            read: { partial: "f32" },
            write: { y: "f32" },
            workgroups: grid(ceilDiv(params.outputs, workgroupSize)),
            code: perThread(
              workgroupSize,
              /* wgsl */ `
  if (i >= params.outputs) { return; }
  var total = 0.0;
  for (var block = 0u; block < ${blocks}u; block++) { total += partial[block * params.outputs + i]; }
  y[i] = total;`,
            ),
          },
        ];
      },
    },
    {
      name: "direct",
      passes(_caps, { inputs, attrs, params }) {
        const loops = loopsOf(inputs.x.shape, attrs.axes);
        return [
          {
            read: { x: "f32" },
            write: { y: "f32" },
            workgroups: grid(ceilDiv(params.outputs, workgroupSize)),
            code: perThread(
              workgroupSize,
              /* wgsl */ `
  if (i >= params.outputs) { return; }
  let base = ${offset(
    "i",
    loops.filter(({ kept }) => kept),
  )};
  var total = 0.0;
  for (var r = 0u; r < params.reduced; r++) {
    total += x[base + ${offset(
      "r",
      loops.filter(({ kept }) => !kept),
    )}];
  }
  y[i] = total;`,
            ),
          },
        ];
      },
    },
  ],
  reference({ x }, { inputs, outputs, attrs }) {
    const y = new Float64Array(sizeOf(outputs.y.shape));
    const from = stridesOf(inputs.x.shape);
    const to = stridesOf(outputs.y.shape);
    x.forEach((value, index) => {
      let target = 0;
      inputs.x.shape.forEach((extent, axis) => {
        if (!attrs.axes.includes(axis)) target += (Math.floor(index / from[axis]!) % extent) * to[axis]!;
      });
      y[target]! += value;
    });
    return { y };
  },
  cost: ({ inputs, outputs }) => ({
    flops: sizeOf(inputs.x.shape),
    bytes: bytesOf(inputs.x) + bytesOf(outputs.y),
  }),
  cases: [
    { name: "one element", inputs: { x: [1] }, attrs: { axes: [0] } },
    { name: "scalar", inputs: { x: [] }, attrs: { axes: [] } },
    { name: "prime sizes, middle axis", inputs: { x: [3, 7, 5] }, attrs: { axes: [1] } },
    { name: "outer and inner axes", inputs: { x: [5, 6, 7] }, attrs: { axes: [0, 2] } },
    { name: "long axis to a scalar", inputs: { x: [10007] }, attrs: { axes: [0] } },
    {
      name: "batch and pixels, channels kept",
      inputs: { x: [2, 16, 16, 64] },
      attrs: { axes: [0, 1, 2] },
      bench: true,
    },
    {
      name: "all of a feature map",
      inputs: { x: [2, 32, 32, 64] },
      attrs: { axes: [0, 1, 2, 3] },
      bench: true,
    },
  ],
  refusals: [
    { inputs: { x: [2, 3] }, attrs: { axes: [2] }, message: /sum: axis 2 is outside of x \[2, 3\]/ },
    { inputs: { x: { shape: [2], dtype: "i32" } }, attrs: { axes: [0] }, message: /sum: x must be f32/ },
  ],
});
