/** Pools over windows, and over whole images. */
import type { Tensor } from "@ddad/nn";
import type { Call, Operator, Operators } from "../call.ts";
import { nn } from "../counted.ts";
import { channelsFirst, channelsLast, type Windows, windows } from "./layout.ts";

type Pair = readonly [vertical: number, horizontal: number];

/** Pools images [N, H, W, C] over windows of two of the given axes. */
function pool2d(kind: "average" | "max", call: Call, x: Tensor, how: Windows, axes: Pair): Tensor {
  const pair = (list: readonly number[]): Pair => [list[axes[0]] ?? 1, list[axes[1]] ?? 1];
  const pad = (list: readonly number[], axis: number): number => list[axis] ?? 0;
  const { kernel, stride, dilation, before, after, ceil } = how;
  const options = {
    kernelSize: pair(kernel),
    stride: pair(stride),
    padding: [pad(before, axes[0]), pad(before, axes[1]), pad(after, axes[0]), pad(after, axes[1])] as const,
    ceilMode: ceil,
  };
  if (kind === "max") return nn.maxPool(x, { ...options, dilation: pair(dilation) });
  return nn.averagePool(x, { ...options, countIncludePad: call.int("count_include_pad", 0) === 1 });
}

/** No axis: where there is only one, or the window is over one axis alone. */
const none = -1;

function pool(kind: "average" | "max", call: Call, x: Tensor, how: Windows): Tensor {
  const [n, c, ...size] = x.shape as [number, number, ...number[]];
  const last = channelsLast(x);
  if (size.length === 1) {
    const y = pool2d(kind, call, nn.reshape(last, [n, 1, size[0]!, c]), how, [none, 0]);
    return channelsFirst(nn.reshape(y, [n, y.shape[2]!, c]));
  }
  if (size.length === 2) return channelsFirst(pool2d(kind, call, last, how, [0, 1]));
  if (kind === "average" && [...how.before, ...how.after].some(Boolean))
    call.notExpressible("3-D averages with padding");
  // First within each plane, then across planes.
  const [d, h, w] = size as [number, number, number];
  const planes = pool2d(kind, call, nn.reshape(last, [n * d, h, w, c]), how, [1, 2]);
  const [rows, columns] = planes.shape.slice(1, 3) as [number, number];
  const y = pool2d(kind, call, nn.reshape(planes, [n, d, rows * columns, c]), how, [0, none]);
  return channelsFirst(nn.reshape(y, [n, y.shape[1]!, rows, columns, c]));
}

/**
 * Where the largest element of each window is, counted through the whole tensor [N, C, H, W]: the windows are gathered, and the index
 * of the largest says which of its pixels it was.
 */
function positions(
  call: Call,
  { kernel, stride, dilation, before }: Windows,
  shape: readonly number[],
): Tensor<"i32"> {
  const [n, c, h, w] = call.shape() as [number, number, number, number];
  const [rows, columns] = shape.slice(2) as [number, number];
  const columnMajor = call.int("storage_order", 0) === 1;
  const taps = kernel[0]! * kernel[1]!;
  const pixels: number[] = [];
  for (let window = 0; window < rows * columns; window++)
    for (let tap = 0; tap < taps; tap++) {
      const y =
        Math.floor(window / columns) * stride[0]! - before[0]! + Math.floor(tap / kernel[1]!) * dilation[0]!;
      const x = (window % columns) * stride[1]! - before[1]! + (tap % kernel[1]!) * dilation[1]!;
      pixels.push(y < 0 || x < 0 || y >= h || x >= w ? h * w : y * w + x);
    }
  const indices = (values: number[], ...of: number[]): Tensor<"i32"> =>
    nn.tensor(values, of, { dtype: "i32" });
  // One more pixel that never wins stands for the padding.
  const image = nn.pad(nn.reshape(call.x(), [n, c, h * w]), [0, 0, 0], [0, 0, 1], -Infinity);
  const windowed = nn.gather(image, indices(pixels, rows * columns, taps), 2);
  const place = columnMajor ? pixels.map((pixel) => (pixel % w) * h + Math.floor(pixel / w)) : pixels;
  const starts = Array.from({ length: rows * columns }, (_, window) => window * taps);
  const within = nn.gather(
    indices(place, place.length),
    nn.add(nn.argmax(windowed, -1), indices(starts, rows * columns)),
  );
  const images = Array.from({ length: n * c }, (_, at) => at * h * w);
  return nn.reshape(nn.add(within, indices(images, n, c, 1)), shape);
}

const whole =
  (op: (x: Tensor, axes: readonly number[]) => Tensor): Operator =>
  (call) =>
    op(
      call.x(),
      call
        .shape()
        .map((_, axis) => axis)
        .slice(2),
    );

export const pooling: Operators = {
  AveragePool: (call) => pool("average", call, call.x(), windows(call, call.shape().slice(2), [])),

  MaxPool: (call) => {
    const how = windows(call, call.shape().slice(2), []);
    const { dtype } = call.value(0);
    const y = nn.cast(pool("max", call, nn.cast(call.x(), "f32"), how), dtype);
    return call.wants(1) ? [y, positions(call, how, y.shape)] : y;
  },

  MaxUnpool: async (call) => {
    const { kernel, stride, before, after } = windows(call, call.shape().slice(2), []);
    const [n, c, ...size] = call.shape() as [number, number, ...number[]];
    const small = size.map((extent, k) => (extent - 1) * stride[k]! + kernel[k]! - before[k]! - after[k]!);
    const total = [n, c, ...small].reduce((a, b) => a * b, 1);
    const index = nn.reshape(call.index(1), [-1]);
    const flat = nn.scatter(nn.zeros([total]), index, nn.reshape(call.x(), [-1]), 0);
    const y = nn.reshape(flat, [n, c, ...small]);
    const shape = await call.numbers(2);
    if (!shape) return y;
    return nn.pad(
      y,
      shape.map(() => 0),
      shape.map((extent, k) => extent - y.shape[k]!),
    );
  },

  GlobalAveragePool: whole((x, axes) => nn.mean(x, axes, { keepDims: true })),
  GlobalMaxPool: whole((x, axes) => nn.max(x, axes, { keepDims: true })),
};
