/** Convolutions of one, two and three dimensions, and their transposes. */
import type { Tensor } from "@ddad/nn";
import type { Call, Operators } from "../call.ts";
import { nn } from "../counted.ts";
import { channelsFirst, channelsLast, type Windows, weightsLast, windows } from "./layout.ts";

type Sides = readonly [top: number, left: number, bottom: number, right: number];
type Pair = readonly [vertical: number, horizontal: number];

const sides = (before: readonly number[], after: readonly number[]): Sides => [
  before[0]!,
  before[1]!,
  after[0]!,
  after[1]!,
];

/** One dimension as two, the first of extent 1: [N, C, L] → [N, C, 1, L]. */
const flat = (x: Tensor): Tensor => nn.reshape(x, [...x.shape.slice(0, 2), 1, ...x.shape.slice(2)]);
const narrow = (x: Tensor): Tensor => nn.reshape(x, [x.shape[0]!, x.shape[1]!, x.shape[3]!]);

/** Attributes of one dimension as those of two. */
const widen = ({ kernel, stride, dilation, before, after, ceil }: Windows): Windows => ({
  kernel: [1, ...kernel],
  stride: [1, ...stride],
  dilation: [1, ...dilation],
  before: [0, ...before],
  after: [0, ...after],
  ceil,
});

function conv2d(call: Call, x: Tensor, weight: Tensor, { stride, dilation, before, after }: Windows): Tensor {
  return channelsFirst(
    nn.conv2d(channelsLast(x), weightsLast(weight), {
      bias: call.maybe(2),
      stride: stride as Pair,
      dilation: dilation as Pair,
      padding: sides(before, after),
      groups: call.int("group", 1),
    }),
  );
}

/** The sum of 2-D convolutions of slices, one for each plane of the kernel. */
function conv3d(call: Call, { kernel, stride, dilation, before, after }: Windows): Tensor {
  const x = nn.permute(call.x(), [0, 2, 3, 4, 1]); // [N, D, H, W, C]
  const weight = nn.permute(call.x(1), [2, 3, 4, 1, 0]);
  const [n, , h, w, c] = x.shape as [number, number, number, number, number];
  const padded = nn.pad(x, [0, before[0]!, 0, 0, 0], [0, after[0]!, 0, 0, 0]);
  const reach = (kernel[0]! - 1) * dilation[0]!;
  const depth = Math.floor((padded.shape[1]! - reach - 1) / stride[0]!) + 1;
  const planes = nn.split(weight, 1, 0).map((plane, k) => {
    const start = k * dilation[0]!;
    const taken = nn.slice(padded, [0, start], [n, start + (depth - 1) * stride[0]! + 1], [1, stride[0]!]);
    return nn.conv2d(nn.reshape(taken, [n * depth, h, w, c]), nn.reshape(plane, plane.shape.slice(1)), {
      // Once is enough.
      bias: k === 0 ? call.maybe(2) : undefined,
      stride: stride.slice(1) as [number, number],
      dilation: dilation.slice(1) as [number, number],
      padding: sides(before.slice(1), after.slice(1)),
      groups: call.int("group", 1),
    });
  });
  const y = planes.reduce((a, b) => nn.add(a, b));
  return nn.permute(nn.reshape(y, [n, depth, ...y.shape.slice(1)]), [0, 4, 1, 2, 3]);
}

/** Padding of a transposed convolution, which `output_shape` may give instead of `pads`. */
function transposedPadding(
  call: Call,
  found: Windows,
  size: readonly number[],
): Windows & { extra: number[] } {
  const extra = [...(call.ints("output_padding") ?? Array<number>(size.length).fill(0))];
  const upper = call.text("auto_pad", "NOTSET") !== "SAME_LOWER";
  const same = call.text("auto_pad", "NOTSET").startsWith("SAME");
  const shape =
    call.ints("output_shape") ?? (same ? size.map((extent, k) => extent * found.stride[k]!) : undefined);
  if (!shape) return { ...found, extra };
  const [before, after] = [[...found.before], [...found.after]];
  shape.forEach((extent, k) => {
    const reach = (found.kernel[k]! - 1) * found.dilation[k]! + 1;
    const total = found.stride[k]! * (size[k]! - 1) + extra[k]! + reach - extent;
    // What is missing is added behind.
    if (total < 0) extra[k]! -= total;
    const [small, large] = [Math.floor(Math.max(0, total) / 2), Math.ceil(Math.max(0, total) / 2)];
    before[k] = upper ? small : large;
    after[k] = upper ? large : small;
  });
  return { ...found, before, after, extra };
}

function transposed2d(call: Call, x: Tensor, weight: Tensor, how: Windows & { extra: number[] }): Tensor {
  return channelsFirst(
    nn.convTranspose2d(channelsLast(x), nn.permute(weight, [2, 3, 1, 0]), {
      bias: call.maybe(2),
      stride: how.stride as Pair,
      dilation: how.dilation as Pair,
      padding: sides(how.before, how.after),
      outputPadding: how.extra as [number, number],
      groups: call.int("group", 1),
    }),
  );
}

/** The sum of transposed 2-D convolutions, one for each plane of the kernel, each moved to its depth. */
function transposed3d(call: Call, how: Windows): Tensor {
  const [stride, ...rest] = how.stride;
  if (stride !== 1 || rest.some((step) => step !== 1) || [...how.before, ...how.after].some(Boolean))
    call.notExpressible("transposed 3-D convolution with stride or padding");
  const x = nn.permute(call.x(), [0, 2, 3, 4, 1]);
  const [n, d, h, w, c] = x.shape as [number, number, number, number, number];
  const all = nn.reshape(x, [n * d, h, w, c]);
  const planes = nn.split(nn.permute(call.x(1), [2, 3, 4, 1, 0]), 1, 0).map((plane, k) => {
    const y = nn.convTranspose2d(all, nn.reshape(plane, plane.shape.slice(1)));
    const deep = nn.reshape(y, [n, d, ...y.shape.slice(1)]);
    return nn.pad(deep, [0, k, 0, 0, 0], [0, how.kernel[0]! - 1 - k, 0, 0, 0]);
  });
  return nn.permute(
    planes.reduce((a, b) => nn.add(a, b)),
    [0, 4, 1, 2, 3],
  );
}

export const convolution: Operators = {
  Conv: (call) => {
    const how = windows(call, call.shape().slice(2), call.shape(1).slice(2));
    if (call.rank === 5) return conv3d(call, how);
    if (call.rank === 4) return conv2d(call, call.x(), call.x(1), how);
    return narrow(conv2d(call, flat(call.x()), flat(call.x(1)), widen(how)));
  },

  ConvTranspose: (call) => {
    const size = call.shape().slice(2);
    const how = transposedPadding(call, windows(call, size, call.shape(1).slice(2)), size);
    if (call.rank === 5) return transposed3d(call, how);
    if (call.rank === 4) return transposed2d(call, call.x(), call.x(1), how);
    const wide = { ...widen(how), extra: [0, ...how.extra] };
    return narrow(transposed2d(call, flat(call.x()), flat(call.x(1)), wide));
  },
};
