import { type Shape, ShapeError, sameShape, show } from "@ddad/kernels-wgsl";
import { constant } from "../create.ts";
import { checkOptions } from "../options.ts";
import type { Tensor } from "../tensor.ts";
import { normaliseAxes } from "./axes.ts";
import { add, cast, mul, rsqrt, square, sub } from "./elementwise.ts";
import { groupNorm } from "./groupNorm.ts";
import { mean } from "./mean.ts";
import { reshape } from "./reshape.ts";

/** Axes, scale, shift and ε of `layerNorm`. */
export interface LayerNormOptions {
  /** Of the extents of the axes that are normalised. Default: ones. */
  readonly weight?: Tensor | undefined;
  /** The same. Default: zeros. */
  readonly bias?: Tensor | undefined;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** What mean and variance are taken over; negative axes count from the end. Default: the last. */
  readonly axes?: number | readonly number[];
}

/**
 * Layer normalisation (Ba et al. 2016): (x − mean) / √(variance + ε) · weight + bias with mean and biased variance over `axes`, in f32
 * also where x is f16. Over the last axes it is group norm's kernel with one group. Throws ShapeError where weight or bias do not fit.
 */
export function layerNorm(x: Tensor, options: LayerNormOptions = {}): Tensor {
  const {
    weight,
    bias,
    epsilon = 1e-5,
    axes = -1,
  } = checkOptions("layerNorm", options, ["weight", "bias", "epsilon", "axes"]);
  const over = normaliseAxes("layerNorm", x, axes);
  const extents = over.map((axis) => x.shape[axis]!);
  for (const [name, given] of Object.entries({ weight, bias })) checkExtents(name, given, extents, x.shape);
  const first = x.shape.length - over.length;
  if (over.length && over.every((axis, k) => axis === first + k)) {
    const size = extents.reduce((product, extent) => product * extent, 1);
    const images = x.shape.slice(0, first).reduce((product, extent) => product * extent, 1);
    const flat = (given: Tensor | undefined, value: number): Tensor =>
      given ? cast(reshape(given, [size]), "f32") : constant(value, [size]);
    const options = { groups: 1, weight: flat(weight, 1), bias: flat(bias, 0), epsilon };
    return reshape(groupNorm(reshape(x, [images, size]), options), x.shape);
  }
  const beside = x.shape.map((extent, axis) => (over.includes(axis) ? extent : 1));
  const wide = cast(x, "f32");
  const centred = sub(wide, mean(wide, over, { keepDims: true }));
  const variance = mean(square(centred), over, { keepDims: true });
  let y = mul(centred, rsqrt(add(variance, epsilon)));
  if (weight) y = mul(y, reshape(cast(weight, "f32"), beside));
  if (bias) y = add(y, reshape(cast(bias, "f32"), beside));
  return cast(y, x.dtype);
}

function checkExtents(name: string, given: Tensor | undefined, extents: Shape, shape: Shape): void {
  if (!given || sameShape(given.shape, extents)) return;
  throw new ShapeError(
    `layerNorm: ${name} must be ${show(extents)}, the axes of x ${show(shape)} that are normalised, but is ${show(given.shape)}.`,
  );
}
