/** Sizes, checks and the reference loop that the three convolution kernels share. */
import { check, checkFloat } from "../errors.ts";
import type { EpilogueAttrs } from "../matmul/epilogue.ts";
import { type Shape, show, type TensorSpec } from "../spec.ts";

/** Zero rows and columns added around the image: top, left, bottom, right. */
export type Padding = readonly [top: number, left: number, bottom: number, right: number];

/** Attributes of `conv2d`: pixels between windows, and the zeros around the image. */
export interface Conv2dAttrs extends EpilogueAttrs {
  readonly stride: number;
  readonly padding: Padding;
}

/** Every size of a convolution `x [N, H, W, Cin] * weight [KH, KW, Cin, Cout] → y [N, OH, OW, Cout]`. */
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
  readonly stride: number;
  readonly top: number;
  readonly left: number;
}

/** The uniform struct of all three kernels: image sizes are not baked, so that shapes share pipelines. */
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

export function checkImage(op: string, name: string, { shape, dtype }: TensorSpec, half = false): void {
  if (half) checkFloat(op, name, dtype);
  else check(dtype === "f32", op, `${name} must be f32 but is ${dtype}; cast it first.`);
  check(
    shape.length === 4 && shape.every((extent) => extent > 0),
    op,
    `${name} must have 4 axes of at least 1 element but is ${show(shape)}.`,
  );
}

/** The geometry of a convolution. Throws ShapeError where stride, padding or kernel do not fit the image. */
export function geometryOf(
  op: string,
  x: Shape,
  weight: Shape,
  { stride, padding: [top, left, bottom, right] }: Conv2dAttrs,
): Geometry {
  const [batch, height, width, inChannels] = x as [number, number, number, number];
  const [kernelHeight, kernelWidth, weightChannels, outChannels] = weight as [number, number, number, number];
  check(
    Number.isInteger(stride) && stride >= 1,
    op,
    `stride must be a whole number of at least 1 but is ${stride}.`,
  );
  check(
    [top, left, bottom, right].every((extent) => Number.isInteger(extent) && extent >= 0),
    op,
    `padding must be whole numbers of at least 0 but is [${top}, ${left}, ${bottom}, ${right}].`,
  );
  check(
    weightChannels === inChannels,
    op,
    `x ${show(x)} has ${inChannels} channels but weight ${show(weight)} expects ${weightChannels}.`,
  );
  const outHeight = Math.floor((height + top + bottom - kernelHeight) / stride) + 1;
  const outWidth = Math.floor((width + left + right - kernelWidth) / stride) + 1;
  check(
    outHeight >= 1 && outWidth >= 1,
    op,
    `a kernel of ${kernelHeight}×${kernelWidth} is larger than the padded image of ` +
      `${height + top + bottom}×${width + left + right}; pad more.`,
  );
  return {
    batch,
    height,
    width,
    inChannels,
    outHeight,
    outWidth,
    outChannels,
    kernelHeight,
    kernelWidth,
    stride,
    top,
    left,
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
            const h = oh * g.stride + kh - g.top;
            const w = ow * g.stride + kw - g.left;
            if (h < 0 || h >= g.height || w < 0 || w >= g.width) continue;
            visit(
              ((n * g.height + h) * g.width + w) * g.inChannels,
              ((n * g.outHeight + oh) * g.outWidth + ow) * g.outChannels,
              (kh * g.kernelWidth + kw) * g.inChannels * g.outChannels,
            );
          }
}

/** Multiply-adds of one direction, each counted 2, padding counted as work. */
export const flopsOf = (g: Geometry): number =>
  2 * g.batch * g.outHeight * g.outWidth * g.outChannels * g.kernelHeight * g.kernelWidth * g.inChannels;
