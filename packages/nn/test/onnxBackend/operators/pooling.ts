/** Pools over windows, and over whole images. */
import type { Operator, Operators } from "../call.ts";
import { nn } from "../counted.ts";
import { alike, channelsFirst, channelsLast, windows } from "./layout.ts";

const pool =
  (kind: "average" | "max"): Operator =>
  (call) => {
    if (call.rank !== 4) call.notExpressible(`pooling of ${call.rank - 2} dimensions`);
    const { kernel, stride, dilation, before, after, ceil } = windows(call, call.shape().slice(2), []);
    if (call.wants(1)) call.notExpressible("indices of max pooling");
    if (kind === "average" && !alike(1, ...dilation)) call.notExpressible("average pooling with dilation");
    const pair = ([height, width]: readonly number[]) => [height!, width!] as const;
    const options = {
      kernelSize: pair(kernel),
      stride: pair(stride),
      padding: [before[0]!, before[1]!, after[0]!, after[1]!] as const,
      ceilMode: ceil,
    };
    const x = channelsLast(call.x());
    if (kind === "max") return channelsFirst(nn.maxPool(x, { ...options, dilation: pair(dilation) }));
    const countIncludePad = call.int("count_include_pad", 0) === 1;
    return channelsFirst(nn.averagePool(x, { ...options, countIncludePad }));
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
