/** The divisors of window means, for `averagePool` and its gradient. */
import { check } from "../errors.ts";
import type { PoolWindows, WindowAxes, WindowAxis } from "./windows.ts";

/** Attributes of `averagePool`: its windows, and whether pixels of the padding count. */
export type AveragePoolAttrs = PoolWindows & {
  /** Whether pixels of the padding count as zeros, or not at all. Default true. */
  readonly countIncludePad?: boolean;
};

/** The taps of an average are contiguous. */
export function checkContiguous(op: string, [vertical, horizontal]: WindowAxes): void {
  for (const { regular } of [vertical, horizontal]) {
    check((regular?.dilation ?? 1) === 1, op, "windows have no dilation; only maxPool's may.");
  }
}

/** First and last (exclusive) counted pixel of a window: in the image only, or in its padding too. */
const bounds = ({ input, output, regular }: WindowAxis, o: number, padded: boolean): [number, number] => {
  if (!regular) return [Math.floor((o * input) / output), Math.ceil(((o + 1) * input) / output)];
  const { kernel, stride, before, after } = regular;
  const first = o * stride - before;
  return padded
    ? [first, Math.min(first + kernel, input + after)]
    : [Math.max(first, 0), Math.min(first + kernel, input)];
};

const extent = (axis: WindowAxis, o: number, padded: boolean): number => {
  const [first, end] = bounds(axis, o, padded);
  return end - first;
};

/** The divisor of the window at (row, column). */
export const divisorOf = ([vertical, horizontal]: WindowAxes, padded: boolean, row: number, column: number) =>
  extent(vertical, row, padded) * extent(horizontal, column, padded);

/** The divisor of all windows, where they have the same. */
export function commonDivisor(axes: WindowAxes, padded: boolean): number | undefined {
  const extents = axes.map((axis) => {
    const all = new Set(Array.from({ length: axis.output }, (_, o) => extent(axis, o, padded)));
    return all.size === 1 ? [...all][0] : undefined;
  });
  const [vertical, horizontal] = extents;
  return vertical === undefined || horizontal === undefined ? undefined : vertical * horizontal;
}

function extentCode({ input, output, regular }: WindowAxis, o: string, padded: boolean): string {
  if (!regular)
    return `(((${o} + 1u) * ${input}u + ${output - 1}u) / ${output}u - ${o} * ${input}u / ${output}u)`;
  const { kernel, stride, before, after } = regular;
  const first = `${o} * ${stride}u`;
  const end = `min(${first} + ${kernel}u, ${input + before + (padded ? after : 0)}u)`;
  return padded ? `(${end} - ${first})` : `(${end} - max(${first}, ${before}u))`;
}

/** WGSL that divides `value` by the divisor of the window at (`row`, `column`). */
export function dividedCode(
  axes: WindowAxes,
  padded: boolean,
  value: string,
  row: string,
  column: string,
): string {
  const common = commonDivisor(axes, padded);
  if (common !== undefined) return `${value} * f32(${1 / common})`;
  return `${value} / f32(${extentCode(axes[0], row, padded)} * ${extentCode(axes[1], column, padded)})`;
}
