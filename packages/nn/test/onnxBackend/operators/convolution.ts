/** Convolutions of one, two and three dimensions. */
import type { Call, Operators } from "../call.ts";
import { nn } from "../counted.ts";
import { alike, channelsFirst, channelsLast, weightsLast, windows } from "./layout.ts";

export const convolution: Operators = {
  Conv: (call) => {
    if (call.rank === 5) call.notExpressible("3-D convolution");
    const flat = call.rank === 3;
    const { stride, dilation, before, after } = windows(call, call.shape().slice(2), call.shape(1).slice(2));
    if (!alike(1, ...dilation)) call.notExpressible("convolution with dilation");
    if (!alike(...stride)) call.notExpressible("convolution with two strides");
    if (call.int("group", 1) !== 1) call.notExpressible("grouped convolution");
    const lift = (place: number) => {
      const x = call.x(place);
      return flat ? nn.reshape(x, [x.shape[0]!, x.shape[1]!, 1, x.shape[2]!]) : x;
    };
    const [top, left] = flat ? [0, before[0]!] : (before as [number, number]);
    const [bottom, right] = flat ? [0, after[0]!] : (after as [number, number]);
    const y = channelsFirst(
      nn.conv2d(channelsLast(lift(0)), weightsLast(lift(1)), {
        bias: bias(call),
        stride: stride.at(-1)!,
        padding: [top, left, bottom, right],
      }),
    );
    return flat ? nn.reshape(y, [y.shape[0]!, y.shape[1]!, y.shape[3]!]) : y;
  },
};

const bias = (call: Call) => call.maybe(2);
