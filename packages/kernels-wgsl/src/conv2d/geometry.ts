/** Sizes, checks and the reference loop of the three convolution kernels. */
import { check, checkFloat } from "../errors.ts";
import type { EpilogueAttrs } from "../matmul/epilogue.ts";
import { type Shape, show, type TensorSpec } from "../spec.ts";
import { uniform } from "../uniform.ts";

/** Zero rows and columns added around the image: top, left, bottom, right. */
export type Padding = readonly [top: number, left: number, bottom: number, right: number];

/** A value for height and one for width. */
export type Sides = readonly [height: number, width: number];

/** Attributes of `conv2d` and its gradients. */
export interface Conv2dAttrs extends EpilogueAttrs {
  /** Pixels between windows, for both sides or for each. */
  readonly stride: number | Sides;
  /** Zeros around the image, in pixels. */
  readonly padding: Padding;
  /** Pixels between the taps of a window. Default 1. */
  readonly dilation?: number | Sides | undefined;
  /** Channels in and out are cut into so many groups, each convolved on its own. Default 1. */
  readonly groups?: number | undefined;
}

/** Every size of a convolution `x [N, H, W, Cin] * weight [KH, KW, Cin / groups, Cout] → y [N, OH, OW, Cout]`. */
export interface Geometry {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly inChannels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly outChannels: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly stride: Sides;
  readonly dilation: Sides;
  readonly groups: number;
  /** Channels of x and of y that one group has. */
  readonly groupIn: number;
  readonly groupOut: number;
  readonly top: number;
  readonly left: number;
}

/** Whether stride, dilation and groups are 1, as the fast algorithms require. */
export const isPlain = ({ stride, dilation, groups }: Geometry): boolean =>
  groups === 1 && [...stride, ...dilation].every((distance) => distance === 1);

/** WGSL of a factor; nothing where it is 1. */
export const times = (factor: number): string => (factor === 1 ? "" : ` * ${factor}u`);

/** One number for both sides, or one for each. */
export const sidesOf = (given: number | Sides): Sides => (typeof given === "number" ? [given, given] : given);

/** The uniform struct of all three kernels. The other sizes are numbers of a pass: see `numbersOf`. */
export const sizeParams = {
  batch: "u32",
  height: "u32",
  width: "u32",
  outHeight: "u32",
  outWidth: "u32",
} as const;

export type SizeParam = keyof typeof sizeParams;

export const sizesOf = ({ batch, height, width, outHeight, outWidth }: Geometry) => ({
  batch,
  height,
  width,
  outHeight,
  outWidth,
});

/** The other sizes as WGSL: see `uniform`. */
export function numbersOf({ stride, dilation, ...g }: Geometry) {
  const numbers = {
    ...g,
    ...{ strideHeight: stride[0], strideWidth: stride[1] },
    ...{ dilationHeight: dilation[0], dilationWidth: dilation[1] },
  };
  const written = Object.entries(numbers).map(([name, value]) => [name, uniform(name, value)]);
  return Object.fromEntries(written) as Record<keyof typeof numbers, string>;
}

/** Throws ShapeError unless a tensor has the four axes of images; any of them may be empty. */
export function checkImage(op: string, name: string, { shape, dtype }: TensorSpec, half = false): void {
  if (half) checkFloat(op, name, dtype);
  else check(dtype === "f32", op, () => `${name} must be f32 but is ${dtype}; cast it first.`);
  check(shape.length === 4, op, () => `${name} must have 4 axes but is ${show(shape)}.`);
}

/** Throws ShapeError unless `given` is one whole number of at least 1, or one for each side. */
export function checkDistance(op: string, name: string, given: number | Sides): void {
  const sides = typeof given === "number" ? [given] : given;
  check(
    (typeof given === "number" || sides.length === 2) &&
      sides.every((distance) => Number.isInteger(distance) && distance >= 1),
    op,
    () =>
      `${name} must be a whole number of at least 1, or two of them, but is ${typeof given === "number" ? given : show(given)}.`,
  );
}

/** What to do where an image has its channels where other libraries have them. */
const layoutHint = (x: Shape, channels: number): string =>
  x[1] === channels ? " Images are [N, H, W, C]; x.permute([0, 2, 3, 1]) makes them of [N, C, H, W]." : "";

/** The geometry of a convolution. Throws ShapeError where stride, padding, dilation, groups or kernel do not fit. */
export function geometryOf(op: string, x: Shape, weight: Shape, attrs: Conv2dAttrs): Geometry {
  const { stride, padding, dilation = 1, groups = 1 } = attrs;
  const [top, left, bottom, right] = padding;
  const [batch, height, width, inChannels] = x as [number, number, number, number];
  const [kernelHeight, kernelWidth, weightChannels, outChannels] = weight as [number, number, number, number];
  checkDistance(op, "stride", stride);
  checkDistance(op, "dilation", dilation);
  check(
    padding.length === 4 && padding.every((extent) => Number.isInteger(extent) && extent >= 0),
    op,
    () => `padding must be whole numbers of at least 0 but is ${show(padding)}.`,
  );
  check(
    Number.isInteger(groups) && groups >= 1,
    op,
    () => `groups must be a whole number of at least 1 but is ${groups}.`,
  );
  check(
    inChannels % groups === 0 && outChannels % groups === 0,
    op,
    () =>
      `${groups} groups must divide the ${inChannels} channels of x ${show(x)} and the ${outChannels} that weight ${show(weight)} makes.`,
  );
  check(weightChannels * groups === inChannels, op, () =>
    groups === 1
      ? `x ${show(x)} has ${inChannels} channels but weight ${show(weight)} expects ${weightChannels}.${layoutHint(x, weightChannels)}`
      : `x ${show(x)} has ${inChannels / groups} channels in each of ${groups} groups but weight ${show(weight)} expects ${weightChannels}.`,
  );
  check(
    kernelHeight >= 1 && kernelWidth >= 1,
    op,
    () => `weight ${show(weight)} has no taps; height and width of a kernel must be at least 1.`,
  );
  const [strideHeight, strideWidth] = sidesOf(stride);
  const [dilationHeight, dilationWidth] = sidesOf(dilation);
  const [spanHeight, spanWidth] = [
    (kernelHeight - 1) * dilationHeight + 1,
    (kernelWidth - 1) * dilationWidth + 1,
  ];
  const outHeight = Math.floor((height + top + bottom - spanHeight) / strideHeight) + 1;
  const outWidth = Math.floor((width + left + right - spanWidth) / strideWidth) + 1;
  check(
    outHeight >= 1 && outWidth >= 1,
    op,
    () =>
      `a kernel of ${spanHeight}×${spanWidth}${dilationHeight * dilationWidth > 1 ? " with its gaps" : ""} is larger than the padded image of ` +
      `${height + top + bottom}×${width + left + right}; pad more.`,
  );
  return {
    ...{ batch, height, width, inChannels, outHeight, outWidth, outChannels, kernelHeight, kernelWidth },
    stride: [strideHeight, strideWidth],
    dilation: [dilationHeight, dilationWidth],
    ...{ groups, groupIn: inChannels / groups, groupOut: outChannels / groups },
    ...{ top, left },
  };
}

/**
 * Calls `visit` with the flat offsets of the pixel in x (channel 0), the pixel in y (channel 0) and the tap in weight
 * (channels 0) for every tap of every output pixel that lies inside the image: the convolution without its channel sum.
 */
export function forEachTap(
  g: Geometry,
  visit: (xOffset: number, yOffset: number, weightOffset: number) => void,
): void {
  for (let n = 0; n < g.batch; n++)
    for (let oh = 0; oh < g.outHeight; oh++)
      for (let ow = 0; ow < g.outWidth; ow++)
        for (let kh = 0; kh < g.kernelHeight; kh++)
          for (let kw = 0; kw < g.kernelWidth; kw++) {
            const h = oh * g.stride[0] + kh * g.dilation[0] - g.top;
            const w = ow * g.stride[1] + kw * g.dilation[1] - g.left;
            if (h < 0 || h >= g.height || w < 0 || w >= g.width) continue;
            visit(
              ((n * g.height + h) * g.width + w) * g.inChannels,
              ((n * g.outHeight + oh) * g.outWidth + ow) * g.outChannels,
              (kh * g.kernelWidth + kw) * g.groupIn * g.outChannels,
            );
          }
}

/**
 * Calls `visit` with the flat indices in x, weight and y of every product that a convolution sums, `count` of them at a time: their x is
 * the same, weight and y are neighbours. It is the definition of all three kernels, which differ only in which of the three they make.
 */
export function forEachProducts(
  g: Geometry,
  visit: (xIndex: number, weightIndex: number, yIndex: number, count: number) => void,
): void {
  forEachTap(g, (xOffset, yOffset, weightOffset) => {
    for (let group = 0; group < g.groups; group++)
      for (let ci = 0; ci < g.groupIn; ci++) {
        const co = group * g.groupOut;
        visit(
          xOffset + group * g.groupIn + ci,
          weightOffset + ci * g.outChannels + co,
          yOffset + co,
          g.groupOut,
        );
      }
  });
}

/** Multiply-adds of one direction, each counted 2, padding counted as work. */
export const flopsOf = (g: Geometry): number =>
  2 * g.batch * g.outHeight * g.outWidth * g.outChannels * g.kernelHeight * g.kernelWidth * g.groupIn;
