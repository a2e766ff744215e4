/**
 * `total ← keep · total + x`, in place: the sum of the gradients of a batch's parts. Where keep is 0 the total starts anew as x,
 * whatever it was (a product with 0 would keep NaN and Infinity).
 */
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, sameShape, show, sizeOf } from "../spec.ts";

/** Inputs total and x of one shape, keep [1], all f32; output the next total. */
export const accumulate = defineKernel({
  name: "accumulate",
  inputs: ["total", "x", "keep"],
  outputs: ["totalNext"],
  updates: { totalNext: "total" },
  packs: { shared: ["keep"] },
  params: { size: "u32" },
  infer({ total, x, keep }, _attrs: Record<string, never>) {
    for (const [name, { dtype }] of Object.entries({ total, x, keep }))
      check(dtype === "f32", "accumulate", () => `${name} must be f32 but is ${dtype}; cast it first.`);
    check(
      sameShape(total.shape, x.shape),
      "accumulate",
      () => `x ${show(x.shape)} must have the shape of total ${show(total.shape)}.`,
    );
    check(sameShape(keep.shape, [1]), "accumulate", () => `keep must be [1] but is ${show(keep.shape)}.`);
    return { outputs: { totalNext: total }, params: { size: sizeOf(total.shape) } };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { params }) {
        const width = params.size % 4 === 0 ? 4 : 1;
        const element = width === 4 ? "vec4<f32>" : "f32";
        return [
          {
            read: { x: element, keep: "f32" },
            write: { totalNext: element },
            ...gridStride(
              caps,
              params.size / width,
              `params.size / ${width}u`,
              /* wgsl */ `
    if (factor == 0.0) { totalNext[i] = x[i]; } else { totalNext[i] = factor * totalNext[i] + x[i]; }`,
              "  let factor = keep[0];",
            ),
          },
        ];
      },
    },
  ],
  reference: ({ total, x, keep }) => ({
    totalNext: x.map((value, i) => (keep[0] === 0 ? value : keep[0]! * total[i]! + value)),
  }),
  cost: ({ inputs }) => ({ flops: 2 * sizeOf(inputs.x.shape), bytes: 3 * bytesOf(inputs.x) }),
  cases: [
    { name: "a scalar", inputs: { total: [], x: [], keep: [1] }, attrs: {} },
    { name: "odd size", inputs: { total: [7, 13], x: [7, 13], keep: [1] }, attrs: {} },
    {
      name: "anew after an overflow",
      inputs: {
        total: { shape: [4, 8], fill: (index) => [Infinity, Number.NaN, 1, -2][index % 4]! },
        x: [4, 8],
        keep: { shape: [1], fill: () => 0 },
      },
      attrs: {},
      tolerance: 0,
    },
    {
      name: "a convolution's gradient",
      inputs: { total: [3, 3, 128, 128], x: [3, 3, 128, 128], keep: { shape: [1], fill: () => 1 } },
      attrs: {},
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { total: [4], x: [5], keep: [1] },
      attrs: {},
      message: /accumulate: x \[5\] must have the shape of total \[4\]/,
    },
    {
      inputs: { total: [4], x: [4], keep: [2] },
      attrs: {},
      message: /accumulate: keep must be \[1\] but is \[2\]/,
    },
    {
      inputs: { total: { shape: [4], dtype: "f16" }, x: [4], keep: [1] },
      attrs: {},
      message: /accumulate: total must be f32 but is f16; cast it first/,
    },
  ],
});
