/** Convolutions of one, two and three dimensions. */
import type { Call, Operators } from "../call.ts";
import { nn } from "../counted.ts";
import { channelsFirst, channelsLast, weightsLast, windows } from "./layout.ts";

export const convolution: Operators = {
  Conv: (call) => {
    if (call.rank === 5) call.notExpressible("3-D convolution");
    const flat = call.rank === 3;
    const { stride, dilation, before, after } = windows(call, call.shape().slice(2), call.shape(1).slice(2));
    const sides = { stride, dilation };
    const groups = call.int("group", 1);
    if (flat) {
      const options = {
        stride: stride[0]!,
        dilation: dilation[0]!,
        padding: [before[0]!, after[0]!] as const,
      };
      const x = nn.conv1d(channelsLast(call.x()), weightsLast(call.x(1)), {
        ...options,
        groups,
        bias: bias(call),
      });
      return channelsFirst(x);
    }
    const pair = (name: keyof typeof sides) => [sides[name][0]!, sides[name][1]!] as const;
    return channelsFirst(
      nn.conv2d(channelsLast(call.x()), weightsLast(call.x(1)), {
        bias: bias(call),
        stride: pair("stride"),
        dilation: pair("dilation"),
        padding: [before[0]!, before[1]!, after[0]!, after[1]!],
        groups,
      }),
    );
  },
  ConvTranspose: (call) => {
    if (call.rank === 5) call.notExpressible("3-D transposed convolution");
    const flat = call.rank === 3;
    const [x, w] = [call.shape(), call.shape(1)];
    const { kernel, stride, dilation, before, after } = windows(call, x.slice(2), w.slice(2));
    const more = call.ints("output_padding") ?? stride.map(() => 0);
    const given = call.ints("output_shape");
    const auto = call.text("auto_pad", "NOTSET");
    // An output shape, or padding by name, says what is cut off; what is missing then is added.
    const sides = stride.map((step, k) => {
      const full = step * (x[k + 2]! - 1) + more[k]! + (kernel[k]! - 1) * dilation[k]! + 1;
      const size = given
        ? given.slice(-stride.length)[k]!
        : auto.startsWith("SAME")
          ? x[k + 2]! * step
          : undefined;
      if (size === undefined) return { before: before[k]!, after: after[k]!, more: more[k]! };
      const total = full - size;
      if (total < 0) return { before: 0, after: 0, more: more[k]! - total };
      const smaller = Math.floor(total / 2);
      const first = auto === "SAME_UPPER" ? smaller : total - smaller;
      return { before: first, after: total - first, more: more[k]! };
    });
    const all = flat ? [{ before: 0, after: 0, more: 0 }, ...sides] : sides;
    const pair = (list: readonly number[]) =>
      flat ? ([1, list[0]!] as const) : ([list[0]!, list[1]!] as const);
    const lift = (shape: readonly number[]) => (flat ? [shape[0]!, shape[1]!, 1, shape[2]!] : shape);
    const y = channelsFirst(
      nn.convTranspose2d(
        channelsLast(nn.reshape(call.x(), lift(x))),
        weightsLast(nn.reshape(call.x(1), lift(w))),
        {
          bias: bias(call),
          stride: pair(stride),
          dilation: pair(dilation),
          padding: [all[0]!.before, all[1]!.before, all[0]!.after, all[1]!.after],
          outputPadding: [all[0]!.more, all[1]!.more],
          groups: call.int("group", 1),
        },
      ),
    );
    return flat ? nn.reshape(y, [y.shape[0]!, y.shape[1]!, y.shape[3]!]) : y;
  },
};

const bias = (call: Call) => call.maybe(2);
