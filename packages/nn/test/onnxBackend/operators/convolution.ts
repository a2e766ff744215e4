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
};

const bias = (call: Call) => call.maybe(2);
