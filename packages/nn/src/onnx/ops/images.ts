/** Convolution, pooling and resampling of images: NHWC here, NCHW in the file. */
import { type AnyTensor, UsageError } from "@ddad/tensor";
import { type AxisOrder, channelsSecond, type Translation } from "../translation.ts";
import type { Translator } from "./translator.ts";

const nchw = channelsSecond(4);

/** [KH, KW, I, O] here, [O, I, KH, KW] in the file. */
const oihw: AxisOrder = [3, 2, 0, 1];

const vectorOf = (t: Translation, tensor: AnyTensor | undefined): string[] =>
  tensor ? [t.read(tensor)] : [];

type Sides = number | readonly [number, number];

interface ConvolutionAttrs {
  readonly stride: Sides;
  readonly padding: readonly number[];
  readonly dilation?: Sides;
  readonly groups?: number;
}

const both = (sides: Sides): readonly number[] => (typeof sides === "number" ? [sides, sides] : sides);

/** Common attributes of Conv and ConvTranspose. */
const windowsOf = ({ stride, padding, dilation = 1, groups = 1 }: ConvolutionAttrs, weight: AnyTensor) => ({
  kernel_shape: weight.shape.slice(0, 2),
  strides: both(stride),
  pads: padding, // top, left, bottom, right in both
  ...(both(dilation).some((distance) => distance !== 1) && { dilations: both(dilation) }),
  ...(groups !== 1 && { group: groups }),
});

export const conv2d: Translator = (t, { attrs, inputs, outputs }) => {
  const { x, weight, bias } = inputs;
  const operands = [t.read(x!, nchw), t.read(weight!, oihw), ...vectorOf(t, bias)];
  const y = t.emit("Conv", operands, windowsOf(attrs as ConvolutionAttrs, weight!));
  t.write(outputs["y"]!, y, nchw);
};

/** A transposed convolution. Its weight [KH, KW, O, I] is [I, O, KH, KW] in the file. */
export const conv2dInputGradient: Translator = (t, { attrs, inputs, outputs }) => {
  const { gradient, weight } = inputs;
  const { inputSize } = attrs as { inputSize: readonly number[] };
  const windows = windowsOf(attrs as ConvolutionAttrs, weight!);
  const { kernel_shape: taps, strides, pads } = windows;
  const dilations = both((attrs as ConvolutionAttrs).dilation ?? 1);
  const more = inputSize.map(
    (extent, side) =>
      extent -
      (gradient!.shape[side + 1]! - 1) * strides[side]! +
      pads[side]! +
      pads[side + 2]! -
      dilations[side]! * (taps[side]! - 1) -
      1,
  );
  const y = t.emit("ConvTranspose", [t.read(gradient!, nchw), t.read(weight!, oihw)], {
    ...windows,
    ...(more.some((extent) => extent !== 0) && { output_padding: more }),
  });
  t.write(outputs["xGradient"]!, y, nchw);
};

interface PoolAttrs {
  readonly kernelSize: Sides;
  readonly stride: Sides;
  readonly padding: number | readonly number[];
  readonly dilation?: Sides;
  readonly countIncludePad?: boolean;
  /** Adaptive pooling has this alone. */
  readonly size?: readonly number[];
}

const pool =
  (op: "MaxPool" | "AveragePool", fixed?: PoolAttrs): Translator =>
  (t, { op: kernel, attrs, inputs, outputs }) => {
    const { kernelSize, stride, padding, dilation = 1, ...more } = fixed ?? (attrs as PoolAttrs);
    const x = inputs["x"]!;
    const y = outputs["y"]!;
    if (more.size) {
      throw new UsageError(
        `exportOnnx: ${kernel} of ${x} to ${more.size.join("×")} has windows of several sizes, which ONNX does not support; ` +
          "choose a size that divides the image's.",
      );
    }
    const [taps, strides, dilations] = [both(kernelSize), both(stride), both(dilation)];
    const [top, left, bottom, right] =
      typeof padding === "number" ? [padding, padding, padding, padding] : padding;
    const { countIncludePad = true } = more;
    // A last window may reach past the padding. Runtimes disagree on when it does, so that what it needs is padded. Only a
    // mean that counts its padding tells the two apart.
    const [before, after] = [
      [top!, left!],
      [bottom!, right!],
    ];
    const needed = [0, 1].map(
      (side) =>
        (y.shape[side + 1]! - 1) * strides[side]! +
        (taps[side]! - 1) * dilations[side]! +
        1 -
        x.shape[side + 1]! -
        before[side]!,
    );
    if (op === "AveragePool" && countIncludePad && needed.some((extent, side) => extent > after[side]!)) {
      throw new UsageError(
        `exportOnnx: ${kernel} of ${x} has windows that reach past a padding that counts, which runtimes do not agree on; ` +
          "pad by an operation of its own, or leave ceilMode or countIncludePad out.",
      );
    }
    const behind = needed.map((extent, side) => Math.max(after[side]!, extent));
    const pooled = t.emit(op, [t.read(x, nchw)], {
      kernel_shape: taps,
      strides,
      pads: [...before, ...behind],
      ...(dilations.some((distance) => distance !== 1) && { dilations }),
      ...(op === "AveragePool" && { count_include_pad: Number(countIncludePad) }),
    });
    t.write(y, pooled, nchw);
  };

export const maxPool = pool("MaxPool");
export const averagePool = pool("AveragePool");
export const averagePool2 = pool("AveragePool", { kernelSize: 2, stride: 2, padding: 0 });

export const upsampleNearest2: Translator = (t, { inputs, outputs }) => {
  const y = t.emit("Resize", [t.read(inputs["x"]!, nchw), "", t.floats([1, 1, 2, 2])], {
    mode: "nearest",
    coordinate_transformation_mode: "asymmetric",
    nearest_mode: "floor",
  });
  t.write(outputs["y"]!, y, nchw);
};

export const resizeBilinear: Translator = (t, { attrs, inputs, outputs }) => {
  const { size, alignCorners } = attrs as { size: readonly number[]; alignCorners: boolean };
  const y = t.emit("Resize", [t.read(inputs["x"]!, nchw), "", "", t.ints(size)], {
    axes: [2, 3],
    mode: "linear",
    coordinate_transformation_mode: alignCorners ? "align_corners" : "half_pixel",
  });
  t.write(outputs["y"]!, y, nchw);
};

export const upsample: Translator = (t, { attrs, inputs, outputs }) => {
  const { mode, size, alignCorners, scale } = attrs as {
    mode: "nearest" | "bilinear" | "bicubic";
    size: readonly number[];
    alignCorners: boolean;
    scale?: readonly (readonly [pixels: number, of: number])[];
  };
  const x = t.read(inputs["x"]!, nchw);
  // By the factor where positions follow it and not the sizes.
  const target = scale ? [t.floats([1, 1, ...scale.map(([pixels, of]) => of / pixels)])] : ["", t.ints(size)];
  const y = t.emit("Resize", [x, "", ...target], {
    ...(!scale && { axes: [2, 3] }),
    mode: { nearest: "nearest", bilinear: "linear", bicubic: "cubic" }[mode],
    ...(mode === "nearest"
      ? { coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" }
      : { coordinate_transformation_mode: alignCorners ? "align_corners" : "half_pixel" }),
    ...(mode === "bicubic" && { cubic_coeff_a: { float: -0.75 } }),
  });
  t.write(outputs["y"]!, y, nchw);
};

/** Positions are (x, y) from −1 to 1 in the file, too. */
export const gridSample: Translator = (t, { attrs, inputs, outputs }) => {
  const { mode, paddingMode, alignCorners } = attrs as Record<"mode" | "paddingMode", string> & {
    alignCorners: boolean;
  };
  const grid = inputs["grid"]!;
  const y = t.emit("GridSample", [t.read(inputs["x"]!, nchw), t.read(grid, [0, 1, 2, 3])], {
    mode,
    padding_mode: paddingMode,
    align_corners: Number(alignCorners),
  });
  t.write(outputs["y"]!, y, nchw);
};
