/** Sums, means, extrema and norms over axes, and what is computed along one axis. */
import type { ReduceOptions, Tensor } from "@ddad/nn";
import type { Call, Operator, Operators } from "../call.ts";
import { nn } from "../counted.ts";

type Reduction = (x: Tensor, axes: readonly number[] | undefined, options: ReduceOptions) => Tensor;

/** Axes come as an attribute or, in newer operator sets, as an input; none means all of them, or none at all. */
const reduction =
  (op: Reduction): Operator =>
  async (call) => {
    const axes = await call.intsOrInput("axes", 1);
    if (!axes?.length && call.int("noop_with_empty_axes", 0)) return call.x();
    return op(call.x(), axes?.length ? axes : undefined, { keepDims: call.int("keepdims", 1) === 1 });
  };

/** Before operator set 13 softmax and its relatives see everything from `axis` on as one axis. */
export function alongAxis(call: Call, op: (x: Tensor, axis: number) => Tensor): Tensor {
  const axis = call.axis(call.int("axis", call.opset >= 13 ? -1 : 1));
  if (call.opset >= 13 || axis === call.rank - 1) return op(call.x(), axis);
  const rows = call
    .shape()
    .slice(0, axis)
    .reduce((a, b) => a * b, 1);
  return nn.reshape(op(nn.reshape(call.x(), [rows, -1]), 1), call.shape());
}

/** Brings an axis to the end for an operation along the last one, and back. */
function last(x: Tensor, axis: number, op: (x: Tensor) => Tensor): Tensor {
  const order = x.shape.map((_, k) => k).filter((k) => k !== axis);
  const inverse = x.shape.map((_, k) => [...order, axis].indexOf(k));
  return nn.permute(op(nn.permute(x, [...order, axis])), inverse);
}

export const reductions: Operators = {
  ReduceSum: reduction((x, axes, options) => nn.sum(x, axes, options)),
  ReduceMean: reduction((x, axes, options) => nn.mean(x, axes, options)),
  ReduceMax: reduction((x, axes, options) => nn.max(x, axes, options)),
  ReduceMin: reduction((x, axes, options) => nn.min(x, axes, options)),
  ReduceL1: reduction((x, axes, options) => nn.sum(nn.abs(x), axes, options)),
  ReduceL2: reduction((x, axes, options) => nn.sqrt(nn.sum(nn.square(x), axes, options))),
  ReduceLogSum: reduction((x, axes, options) => nn.log(nn.sum(x, axes, options))),
  ReduceLogSumExp: reduction((x, axes, options) => nn.log(nn.sum(nn.exp(x), axes, options))),
  ReduceSumSquare: reduction((x, axes, options) => nn.sum(nn.square(x), axes, options)),

  Softmax: (call) => alongAxis(call, (x, axis) => last(x, axis, (rows) => nn.softmax(rows))),
};
