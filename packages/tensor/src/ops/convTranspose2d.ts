import { ShapeError, show } from "@ddad/kernels-wgsl";
import { checkTensor } from "../arguments.ts";
import { checkOptions } from "../options.ts";
import type { Tensor } from "../tensor.ts";
import { conv2dAttrs, convolutionOptions } from "./conv2d.ts";
import { convolveBack } from "./convolution.ts";
import { add, cast } from "./elementwise.ts";
import { pad } from "./pad.ts";
import { bothSides, fourSides, type PaddingOption, type PerSide } from "./sides.ts";

/** Options of `convTranspose2d`. */
export interface ConvTranspose2dOptions {
  /** [Cout], f32 or the type of x. */
  readonly bias?: Tensor | undefined;
  /** Pixels between what neighbouring pixels of x are spread over. Default 1. */
  readonly stride?: PerSide;
  /** Pixels that are cut off the result's sides: the padding of the convolution that this is the adjoint of. Default 0. */
  readonly padding?: PaddingOption;
  /** Pixels that the result has in addition, below and on the right. Default 0. */
  readonly outputPadding?: PerSide;
  /** Pixels between the taps of a window. Default 1. */
  readonly dilation?: PerSide;
  /** Channels in and out are cut into so many groups, each on its own. Default 1. */
  readonly groups?: number;
}

/**
 * Transposed convolution (PyTorch's ConvTranspose2d) of x [N, H, W, Cin] with weight [KH, KW, Cout / groups, Cin] → [N, OH, OW, Cout],
 * where OH = (H − 1) · stride − padding above and below + dilation · (KH − 1) + outputPadding + 1, and OW likewise. It is the
 * adjoint of `conv2d` with this weight: what that gathers from a window is spread over it here.
 */
export function convTranspose2d(x: Tensor, weight: Tensor, options: ConvTranspose2dOptions = {}): Tensor {
  const op = "convTranspose2d";
  const { bias, outputPadding = 0 } = checkOptions(op, options, [...convolutionOptions, "outputPadding"]);
  for (const [name, tensor] of Object.entries({ x, weight })) {
    checkTensor(op, name, tensor);
    const { shape } = tensor;
    if (shape.length !== 4) throw new ShapeError(`${op}: ${name} must have 4 axes but is ${show(shape)}.`);
  }
  if (x.shape[3] !== weight.shape[3]) {
    throw new ShapeError(
      `${op}: x ${show(x.shape)} has ${x.shape[3]} channels but weight ${show(weight.shape)} expects ${weight.shape[3]}; ` +
        "its axes are [KH, KW, Cout / groups, Cin].",
    );
  }
  const attrs = conv2dAttrs(op, options);
  const [top, left, bottom, right] = fourSides(op, options.padding ?? 0);
  const around = [top + bottom, left + right];
  const strides = bothSides(op, "stride", options.stride ?? 1);
  const dilations = bothSides(op, "dilation", options.dilation ?? 1);
  const extra = bothSides(op, "outputPadding", outputPadding);
  const sides = [0, 1].map((side) => {
    const [extent, taps] = [x.shape[side + 1]!, weight.shape[side]!];
    const [stride, dilation, more] = [strides[side]!, dilations[side]!, extra[side]!];
    if (!Number.isInteger(more) || more < 0 || more >= Math.max(stride, dilation)) {
      throw new ShapeError(
        `${op}: outputPadding must be whole numbers of at least 0, smaller than stride or dilation, but is ${more}.`,
      );
    }
    const span = dilation * (taps - 1) + 1;
    const size = (extent - 1) * stride - around[side]! + span + more;
    if (size < 1) {
      throw new ShapeError(
        `${op}: x ${show(x.shape)}, weight ${show(weight.shape)} and the padding leave a result of ${size} pixels; pad less.`,
      );
    }
    // The convolution of the result has more windows than x has pixels where more is added than a stride.
    return { size, missing: Math.floor((size + around[side]! - span) / stride) + 1 - extent };
  });
  const [rows, columns] = sides.map(({ missing }) => missing) as [number, number];
  const filled = rows + columns > 0 ? pad(x, [0, 0, 0, 0], [0, rows, columns, 0]) : x;
  const y = convolveBack(filled, weight, attrs, [sides[0]!.size, sides[1]!.size]);
  return bias ? add(y, cast(bias, y.dtype)) : y;
}
