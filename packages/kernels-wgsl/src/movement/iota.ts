/** 0, 1, … count − 1: what masks and one-hot vectors compare with. */
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, spec } from "../spec.ts";

/** Attributes of `iota`: the number of elements. */
export interface IotaAttrs {
  /** Number of elements of the output. */
  readonly count: number;
}

/** No inputs; output y [count], i32. */
export const iota = defineKernel({
  name: "iota",
  inputs: [],
  outputs: ["y"],
  params: { size: "u32" },
  infer(_inputs, { count }: IotaAttrs) {
    check(
      Number.isInteger(count) && count >= 0,
      "iota",
      () => `count must be a whole number of at least 0 but is ${count}.`,
    );
    return { outputs: { y: spec([count], "i32") }, params: { size: count } };
  },
  variants: [
    {
      name: "direct",
      passes: (caps, { params }) => [
        {
          read: {},
          write: { y: "i32" },
          ...gridStride(caps, params.size, "params.size", "    y[i] = i32(i);"),
        },
      ],
    },
  ],
  reference: (_values, { attrs }) => ({ y: Float64Array.from({ length: attrs.count }, (_, i) => i) }),
  cost: ({ outputs }) => ({ flops: 0, bytes: bytesOf(outputs.y) }),
  cases: [
    { name: "one element", inputs: {}, attrs: { count: 1 } },
    { name: "prime size", inputs: {}, attrs: { count: 1013 } },
    { name: "no elements", inputs: {}, attrs: { count: 0 } },
    { name: "a million", inputs: {}, attrs: { count: 1_000_003 }, bench: true },
  ],
  refusals: [
    { inputs: {}, attrs: { count: -1 }, message: /iota: count must be a whole number of at least 0/ },
  ],
});
