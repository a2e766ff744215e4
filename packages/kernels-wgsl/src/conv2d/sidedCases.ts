/** Convolutions with different strides and dilations for height and width, for every path of the shaders. */
import type { Case } from "../kernel.ts";
import type { DType, Shape } from "../spec.ts";
import { type Conv2dAttrs, geometryOf } from "./geometry.ts";
import type { LargeConvolution } from "./largeCases.ts";

const sizes: readonly [what: string, x: Shape, weight: Shape, attrs: Conv2dAttrs, dtype?: DType][] = [
  ["strides 2 and 1", [2, 9, 8, 5], [3, 3, 5, 7], { stride: [2, 1], padding: [1, 1, 1, 1] }],
  ["strides 1 and 3", [1, 7, 13, 4], [2, 4, 4, 8], { stride: [1, 3], padding: [0, 2, 1, 1] }],
  ["dilation 2", [2, 11, 9, 8], [3, 3, 8, 4], { stride: 1, padding: [2, 2, 2, 2], dilation: 2 }],
  ["dilations 3 and 1", [1, 11, 6, 3], [3, 2, 3, 5], { stride: 1, padding: [1, 0, 0, 1], dilation: [3, 1] }],
  ["stride and dilation 2", [1, 12, 11, 6], [3, 3, 6, 5], { stride: 2, padding: [2, 1, 2, 1], dilation: 2 }],
  [
    "stride 6, dilation 4: common divisors",
    [1, 23, 19, 4],
    [4, 3, 4, 4],
    { stride: [6, 4], padding: [3, 5, 2, 1], dilation: [4, 6] },
  ],
  [
    "stride 2, dilation 3: f16",
    [1, 13, 14, 8],
    [3, 3, 8, 12],
    { stride: 2, padding: [3, 3, 3, 3], dilation: 3 },
    "f16",
  ],
  ["an image of no rows", [2, 0, 3, 4], [3, 3, 4, 4], { stride: 1, padding: [2, 1, 1, 1] }],
];

/** The shapes and attributes of a convolution of this size, to be used by each direction. */
export function convolutionOf(
  x: Shape,
  weight: Shape,
  attrs: Conv2dAttrs,
  dtype: DType = "f32",
): LargeConvolution {
  const { batch, outHeight, outWidth, outChannels } = geometryOf("conv2d", x, weight, attrs);
  return {
    x: { shape: x, dtype },
    y: { shape: [batch, outHeight, outWidth, outChannels], dtype },
    weight: { shape: weight, dtype },
    attrs,
  };
}

/** The cases of one direction; `use` maps a convolution to the inputs and attributes of the kernel. */
export const sidedCases = <I extends string, A>(
  use: (convolution: LargeConvolution) => Pick<Case<I, A>, "inputs" | "attrs">,
): Case<I, A>[] =>
  sizes.map(([name, x, weight, attrs, dtype]) => ({ name, ...use(convolutionOf(x, weight, attrs, dtype)) }));
