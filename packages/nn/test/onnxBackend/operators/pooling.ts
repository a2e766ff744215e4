/** Pools over windows, and over whole images. */
import type { Operator, Operators } from "../call.ts";
import { nn } from "../counted.ts";
import { alike, channelsFirst, channelsLast, windows } from "./layout.ts";

const pool =
  (kind: "average" | "max"): Operator =>
  (call) => {
    if (call.rank !== 4) call.notExpressible(`pooling of ${call.rank - 2} dimensions`);
    const { kernel, stride, dilation, before, after, ceil } = windows(call, call.shape().slice(2), []);
    if (!alike(1, ...dilation)) call.notExpressible("pooling with dilation");
    if (!alike(...kernel) || !alike(...stride) || !alike(...before, ...after))
      call.notExpressible("pooling with windows that are not square");
    if (call.wants(1)) call.notExpressible("indices of max pooling");
    const counted = call.int("count_include_pad", 0) === 1 || before[0] === 0;
    if (kind === "average" && (!counted || ceil))
      call.notExpressible("averages without padding, or with ceil mode");
    const options = { kernelSize: kernel[0]!, stride: stride[0]!, padding: before[0]! };
    const x = channelsLast(call.x());
    return channelsFirst(kind === "max" ? nn.maxPool(x, { ...options, ceil }) : nn.averagePool(x, options));
  };

const whole =
  (op: (call: Parameters<Operator>[0], axes: readonly number[]) => ReturnType<Operator>): Operator =>
  (call) =>
    op(
      call,
      call
        .shape()
        .map((_, axis) => axis)
        .slice(2),
    );

export const pooling: Operators = {
  AveragePool: pool("average"),
  MaxPool: pool("max"),
  GlobalAveragePool: whole((call, axes) => nn.mean(call.x(), axes, { keepDims: true })),
  GlobalMaxPool: whole((call, axes) => nn.max(call.x(), axes, { keepDims: true })),
};
