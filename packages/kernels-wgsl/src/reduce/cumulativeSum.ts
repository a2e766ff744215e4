/** Running sum along the last axis (a prefix sum, or scan). */
import { check } from "../errors.ts";
import { defineKernel, grid, perThread } from "../kernel.ts";
import { bytesOf, ceilDiv, sizeOf, spec } from "../spec.ts";
import { rowLanes, rowPerThread } from "./rows.ts";
import { rowsOf } from "./softmax.ts";
import { perWorkgroup } from "./workgroup.ts";

/** Attributes of `cumulativeSum`. */
export interface CumulativeSumAttrs {
  /** Sum from the end of the row towards its start. */
  readonly reverse: boolean;
}

const threads = 64;

/** WGSL: where the `step`-th element that is added stands in its row. */
const column = (reverse: boolean, step: string): string => (reverse ? `params.columns - 1u - ${step}` : step);

/** yᵢ = x₀ + … + xᵢ along the last axis, or xᵢ + … + x_C₋₁ when reversed. Input x [..., C]; output y of x's shape. */
export const cumulativeSum = defineKernel({
  name: "cumulativeSum",
  inputs: ["x"],
  outputs: ["y"],
  params: { rows: "u32", columns: "u32" },
  infer({ x }, _attrs: CumulativeSumAttrs) {
    check(x.dtype === "f32", "cumulativeSum", `x must be f32 but is ${x.dtype}; cast it first.`);
    return { outputs: { y: spec(x.shape) }, params: rowsOf("cumulativeSum", x.shape) };
  },
  variants: [
    {
      name: "row per thread",
      when: ({ adapterClass }, { params }) => rowPerThread(adapterClass, params.columns),
      passes: (_caps, { attrs: { reverse }, params }) => [
        {
          read: { x: "f32" },
          write: { y: "f32" },
          workgroups: grid(ceilDiv(params.rows, threads)),
          code: perThread(
            threads,
            /* wgsl */ `
  if (i >= params.rows) { return; }
  var total = 0.0;
  for (var step = 0u; step < params.columns; step++) {
    let at = i * params.columns + ${column(reverse, "step")};
    total += x[at];
    y[at] = total;
  }`,
          ),
        },
      ],
    },
    {
      // The lanes of a workgroup scan a stretch of the row together (Hillis and Steele 1986) and carry its total on.
      name: "row per workgroup",
      passes: (_caps, { attrs: { reverse }, params }) => [
        {
          read: { x: "f32" },
          write: { y: "f32" },
          workgroups: grid(params.rows),
          code: /* wgsl */ `var<workgroup> sums: array<f32, ${rowLanes}>;
${perWorkgroup(
  rowLanes,
  "params.rows",
  /* wgsl */ `
  var carried = 0.0;
  for (var start = 0u; start < params.columns; start += ${rowLanes}u) {
    let step = start + lane;
    let inside = step < params.columns;
    let at = item * params.columns + ${column(reverse, "step")};
    if (inside) { sums[lane] = x[at]; } else { sums[lane] = 0.0; }
    workgroupBarrier();
    for (var reach = 1u; reach < ${rowLanes}u; reach *= 2u) {
      var before = 0.0;
      if (lane >= reach) { before = sums[lane - reach]; }
      workgroupBarrier();
      sums[lane] += before;
      workgroupBarrier();
    }
    if (inside) { y[at] = carried + sums[lane]; }
    carried += sums[${rowLanes - 1}];
    workgroupBarrier();
  }`,
)}`,
        },
      ],
    },
  ],
  reference({ x }, { attrs: { reverse }, params: { rows, columns } }) {
    const y = new Float64Array(x.length);
    for (let row = 0; row < rows; row++) {
      let total = 0;
      for (let step = 0; step < columns; step++) {
        const at = row * columns + (reverse ? columns - 1 - step : step);
        total += x[at]!;
        y[at] = total;
      }
    }
    return { y };
  },
  cost: ({ inputs }) => ({ flops: sizeOf(inputs.x.shape), bytes: 2 * bytesOf(inputs.x) }),
  cases: [
    { name: "one element", inputs: { x: [1] }, attrs: { reverse: false } },
    { name: "prime sizes", inputs: { x: [3, 5, 7] }, attrs: { reverse: false } },
    { name: "prime sizes, reversed", inputs: { x: [3, 5, 7] }, attrs: { reverse: true } },
    { name: "lanes − 1, many rows", inputs: { x: [131, 63] }, attrs: { reverse: true } },
    { name: "exactly the lanes", inputs: { x: [2, 64] }, attrs: { reverse: false } },
    { name: "lanes + 1", inputs: { x: [2, 65] }, attrs: { reverse: true } },
    { name: "one long row", inputs: { x: [10007] }, attrs: { reverse: false } },
    { name: "[512, 1024]", inputs: { x: [512, 1024] }, attrs: { reverse: false }, bench: true },
  ],
  refusals: [
    { inputs: { x: [] }, attrs: { reverse: false }, message: /cumulativeSum: x must have at least one axis/ },
    {
      inputs: { x: { shape: [2], dtype: "i32" } },
      attrs: { reverse: false },
      message: /cumulativeSum: x must be f32 but is i32; cast it first/,
    },
  ],
});
