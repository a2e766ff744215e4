/** A kernel from outside the library, used like an operation of its own: log Σ exp(x) of each row, without overflow. */
import { ceilDiv, check, defineKernel, grid, perThread, show, spec } from "@ddad/kernels-wgsl";
import { grad, record, softmax, type Tensor, tensor } from "@ddad/nn";
import { runDirectly } from "./run.ts";

const body = /* wgsl */ `
  if (i >= params.rows) { return; }
  var top = x[i * params.columns];
  for (var c = 1u; c < params.columns; c++) { top = max(top, x[i * params.columns + c]); }
  var sum = 0.0;
  for (var c = 0u; c < params.columns; c++) { sum += exp(x[i * params.columns + c] - top); }
  y[i] = top + log(sum);`;

export const kernel = defineKernel({
  name: "logSumExp",
  inputs: ["x"],
  outputs: ["y"],
  params: { rows: "u32", columns: "u32" },
  infer({ x: { shape, dtype } }, _attrs: object) {
    const [rows = 0, columns = 0] = shape;
    check(dtype === "f32", "logSumExp", `x must be f32 but is ${dtype}; cast it first.`);
    check(shape.length === 2 && columns > 0, "logSumExp", `x must be [R, C] but is ${show(shape)}.`);
    return { outputs: { y: spec([rows]) }, params: { rows, columns } };
  },
  variants: [
    {
      name: "row per thread",
      passes: (_caps, { params }) => {
        const workgroups = grid(ceilDiv(params.rows, 64));
        return [{ read: { x: "f32" }, write: { y: "f32" }, workgroups, code: perThread(64, body) }];
      },
    },
  ],
  reference: ({ x }, { params: { rows, columns } }) => ({
    y: Float64Array.from({ length: rows }, (_, row) => {
      const values = x.subarray(row * columns, (row + 1) * columns);
      return Math.log(values.reduce((sum, value) => sum + Math.exp(value), 0));
    }),
  }),
  cost: ({ params: { rows, columns } }) => ({ flops: 4 * rows * columns, bytes: 4 * rows * (columns + 1) }),
  cases: [
    { name: "one element", inputs: { x: [1, 1] }, attrs: {} },
    { name: "more rows than threads", inputs: { x: [67, 5] }, attrs: {} },
  ],
  refusals: [{ inputs: { x: [7] }, attrs: {}, message: /logSumExp: x must be \[R, C\] but is \[7\]/ }],
});

/** x [R, C] → [R]. The gradient is recorded with the library's own operations: it is the softmax of each row. */
export const logSumExp = (x: Tensor): Tensor =>
  record(kernel, { x }, {}, { x: ({ y: g }) => softmax(x).mul(g.reshape([-1, 1])) }).y;

export async function writeAKernel() {
  const x = tensor([Math.log(1), Math.log(2), Math.log(3), 1000, 1000, 1000], [2, 3]);
  const y = logSumExp(x); // [2]
  const [gradient] = grad(y.sum(), [x]); // [2, 3]
  return { y: [...(await y.data())], gradient: [...(await gradient!.data())] };
}

void runDirectly(import.meta.url, writeAKernel);
