/** Pools over windows, and over whole images. */
import type { Operator, Operators } from "../call.ts";
import { nn } from "../counted.ts";
import { alike, channelsFirst, channelsLast, windows } from "./layout.ts";

const pool =
  (kind: "average" | "max"): Operator =>
  (call) => {
    if (call.rank > 4) call.notExpressible(`pooling of ${call.rank - 2} dimensions`);
    const flat = call.rank === 3;
    const { kernel, stride, dilation, before, after, ceil } = windows(call, call.shape().slice(2), []);
    if (call.wants(1)) call.notExpressible("indices of max pooling");
    if (kind === "average" && !alike(1, ...dilation)) call.notExpressible("average pooling with dilation");
    const pair = ([first, second]: readonly number[], missing = 1) =>
      flat ? ([missing, first!] as const) : ([first!, second!] as const);
    const around = [...pair(before, 0), ...pair(after, 0)] as const;
    const options = {
      kernelSize: pair(kernel),
      stride: pair(stride),
      padding: around,
      ceilMode: ceil,
    };
    const [batch, channels, extent] = call.shape() as [number, number, number];
    const x = channelsLast(flat ? nn.reshape(call.x(), [batch, channels, 1, extent]) : call.x());
    const countIncludePad = call.int("count_include_pad", 0) === 1;
    const y = channelsFirst(
      kind === "max"
        ? nn.maxPool(x, { ...options, dilation: pair(dilation) })
        : nn.averagePool(x, { ...options, countIncludePad }),
    );
    return flat ? nn.reshape(y, [batch, channels, y.shape[3]!]) : y;
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
