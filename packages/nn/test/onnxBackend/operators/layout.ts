/** ONNX's images are [N, C, …]; the library's are [N, H, W, C]. */
import type { Shape, Tensor } from "@ddad/nn";
import type { Call } from "../call.ts";
import { nn } from "../counted.ts";

/** [N, C, …] → [N, …, C]. */
export const channelsLast = (x: Tensor): Tensor =>
  nn.permute(x, [0, ...x.shape.map((_, axis) => axis).slice(2), 1]);

/** [N, …, C] → [N, C, …]. */
export const channelsFirst = (x: Tensor): Tensor =>
  nn.permute(x, [0, x.shape.length - 1, ...x.shape.map((_, axis) => axis).slice(1, -1)]);

/** Convolution weights [Cout, Cin, …] → […, Cin, Cout]. */
export const weightsLast = (w: Tensor): Tensor =>
  nn.permute(w, [...w.shape.map((_, axis) => axis).slice(2), 1, 0]);

/** Windows that move over images, one number for each of the image's axes. */
export interface Windows {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly ceil: boolean;
}

/** The attributes that convolutions and pools share. `size` is that of the image; SAME padding depends on it. */
export function windows(call: Call, size: Shape, kernelShape: Shape): Windows {
  const axes = size.length;
  const list = (name: string): readonly number[] => call.ints(name) ?? Array<number>(axes).fill(1);
  const [kernel, stride, dilation] = [
    call.ints("kernel_shape") ?? kernelShape,
    list("strides"),
    list("dilations"),
  ];
  const auto = call.text("auto_pad", "NOTSET");
  const ceil = call.int("ceil_mode", 0) === 1;
  if (auto.startsWith("SAME")) {
    const totals = size.map((extent, k) => {
      const outputs = Math.ceil(extent / stride[k]!);
      return Math.max(0, (outputs - 1) * stride[k]! + (kernel[k]! - 1) * dilation[k]! + 1 - extent);
    });
    const smaller = totals.map((total) => Math.floor(total / 2));
    const larger = totals.map((total, k) => total - smaller[k]!);
    const [before, after] = auto === "SAME_UPPER" ? [smaller, larger] : [larger, smaller];
    return { kernel, stride, dilation, before, after, ceil };
  }
  const pads = call.ints("pads") ?? Array<number>(2 * axes).fill(0);
  return { kernel, stride, dilation, before: pads.slice(0, axes), after: pads.slice(axes), ceil };
}

/** Whether all numbers are the same one. */
export const alike = (...numbers: readonly number[]): boolean => new Set(numbers).size <= 1;
