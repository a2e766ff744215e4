/** `y = x`, bit for bit: moves a tensor into a buffer of its own. */
import { defineKernel } from "../kernel.ts";
import { bytesOf, sizeOf } from "../spec.ts";
import { walkParams, walkPass } from "./walk.ts";

/** Input x of any shape and type; output y, the same. */
export const copy = defineKernel({
  name: "copy",
  inputs: ["x"],
  outputs: ["y"],
  params: walkParams,
  infer: ({ x }, _attrs: Record<string, never>) => ({
    outputs: { y: x },
    params: { size: sizeOf(x.shape), offset: 0 },
  }),
  variants: [
    {
      name: "direct",
      passes: (caps, { inputs, params }) => [
        walkPass(caps, inputs.x.dtype, [{ extent: params.size, stride: 1 }], params),
      ],
    },
  ],
  reference: ({ x }) => ({ y: x.slice() }),
  cost: ({ inputs }) => ({ flops: 0, bytes: 2 * bytesOf(inputs.x) }),
  cases: [
    { name: "a scalar", inputs: { x: [] }, attrs: {}, tolerance: 0 },
    { name: "prime size", inputs: { x: [7, 13] }, attrs: {}, tolerance: 0 },
    { name: "more than a row of workgroups", inputs: { x: [4194307] }, attrs: {}, tolerance: 0 },
    { name: "i32", inputs: { x: { shape: [3, 4], dtype: "i32" } }, attrs: {} },
    { name: "u32", inputs: { x: { shape: [5], dtype: "u32", fill: (i) => 2 ** 32 - 1 - i } }, attrs: {} },
    { name: "bool", inputs: { x: { shape: [17], dtype: "bool" } }, attrs: {} },
    { name: "f16", inputs: { x: { shape: [3, 5], dtype: "f16" } }, attrs: {}, tolerance: 0 },
    { name: "no elements", inputs: { x: [3, 0] }, attrs: {}, tolerance: 0 },
    { name: "f16 by four", inputs: { x: { shape: [3, 8], dtype: "f16" } }, attrs: {}, tolerance: 0 },
    { name: "feature map", inputs: { x: [2, 32, 32, 64] }, attrs: {}, tolerance: 0, bench: true },
    { name: "large feature map", inputs: { x: [4, 128, 128, 64] }, attrs: {}, bench: true, benchOnly: true },
  ],
  refusals: [],
});
