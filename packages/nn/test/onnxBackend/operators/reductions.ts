/** Sums, means, extrema and norms over axes, and what is computed along one axis. */
import type { AnyTensor, ReduceOptions, Tensor } from "@ddad/nn";
import type { Call, Operator, Operators } from "../call.ts";
import { nn } from "../counted.ts";

type Reduction = (x: Tensor, axes: readonly number[] | undefined, options: ReduceOptions) => AnyTensor;

/** Axes come as an attribute or, in newer operator sets, as an input; none means all of them, or none at all. */
const reduction =
  (op: Reduction): Operator =>
  async (call) => {
    const axes = await call.intsOrInput("axes", 1);
    if (!axes?.length && call.int("noop_with_empty_axes", 0)) return call.x();
    return op(call.x(), axes?.length ? axes : undefined, { keepDims: call.int("keepdims", 1) === 1 });
  };

/** Before operator set 13 softmax and its relatives see everything from `axis` on as one axis. */
function alongAxis(call: Call, op: (x: Tensor, axis: number) => Tensor): Tensor {
  const axis = call.axis(call.int("axis", call.opset >= 13 ? -1 : 1));
  if (call.opset >= 13 || axis === call.rank - 1) return op(call.x(), axis);
  const rows = call
    .shape()
    .slice(0, axis)
    .reduce((a, b) => a * b, 1);
  return nn.reshape(op(nn.reshape(call.x(), [rows, -1]), 1), call.shape());
}

type Extremum = (x: Tensor, axis: number, options: ReduceOptions) => Tensor<"i32">;

const indexOf =
  (op: Extremum): Operator =>
  (call) => {
    const axis = call.axis(call.int("axis", 0));
    const options = { keepDims: call.int("keepdims", 1) === 1 };
    if (!call.int("select_last_index", 0)) return op(call.x(), axis, options);
    return nn.sub(call.shape()[axis]! - 1, op(nn.flip(call.x(), axis), axis, options));
  };

export const reductions: Operators = {
  ReduceSum: reduction((x, axes, options) => nn.sum(x, axes, options)),
  ReduceProd: reduction((x, axes, options) => nn.prod(x, axes, options)),
  ReduceMean: reduction((x, axes, options) => nn.mean(x, axes, options)),
  ReduceMax: reduction((x, axes, options) => nn.max(x, axes, options)),
  ReduceMin: reduction((x, axes, options) => nn.min(x, axes, options)),
  ReduceL1: reduction((x, axes, options) => nn.norm(x, axes, { ...options, p: 1 })),
  ReduceL2: reduction((x, axes, options) => nn.norm(x, axes, options)),
  ReduceLogSum: reduction((x, axes, options) => nn.log(nn.sum(x, axes, options))),
  ReduceLogSumExp: reduction((x, axes, options) => nn.logSumExp(x, axes, options)),
  ReduceSumSquare: reduction((x, axes, options) => nn.sum(nn.square(x), axes, options)),

  ArgMax: indexOf((x, axis, options) => nn.argmax(x, axis, options)),
  ArgMin: indexOf((x, axis, options) => nn.argmin(x, axis, options)),

  Softmax: (call) => alongAxis(call, (x, axis) => nn.softmax(x, axis)),
  LogSoftmax: (call) => alongAxis(call, (x, axis) => nn.logSoftmax(x, axis)),
  Hardmax: (call) =>
    alongAxis(call, (x, axis) => {
      const hot = nn.cast(nn.oneHot(nn.argmax(x, axis), x.shape[axis]!), "f32");
      const order = x.shape.slice(1).map((_, k) => k);
      order.splice(axis, 0, x.shape.length - 1);
      return nn.permute(hot, order);
    }),

  CumSum: async (call) =>
    nn.cumsum(call.x(), (await call.number(1))!, {
      reverse: call.int("reverse", 0) === 1,
      exclusive: call.int("exclusive", 0) === 1,
    }),
};
