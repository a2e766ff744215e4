/**
 * Gaussian blur with a border reflected without repeating the edge (as kornia's and PyTorch's "reflect"), as two passes:
 * `y = Σ_k w_k x[reflect(position + k)]` along rows, then along columns.
 */
import { defineKernel } from "../kernel.ts";
import { bytesOf, sizeOf, spec } from "../spec.ts";
import {
  blurParams,
  blurParamsOf,
  blurPasses,
  checkBlur,
  type GaussianBlurAttrs,
  gaussianTaps,
  reflect,
} from "./blur.ts";
import { forEachElement } from "./images.ts";

export { type GaussianBlurAttrs, gaussianTaps } from "./blur.ts";

/** Input x [N, H, W, C]; output y, the same shape. */
export const gaussianBlur = defineKernel({
  name: "gaussianBlur",
  inputs: ["x"],
  outputs: ["y"],
  params: blurParams,
  infer({ x }, attrs: GaussianBlurAttrs) {
    checkBlur("gaussianBlur", "x", x, attrs);
    return { outputs: { y: x }, params: blurParamsOf(x.shape) };
  },
  variants: [
    {
      name: "separable",
      scratch: (_caps, { inputs }) => ({ rows: spec(inputs.x.shape) }),
      passes: (_caps, { inputs, attrs }) => blurPasses("x", "y", inputs.x.shape, attrs, false),
    },
  ],
  reference({ x }, { inputs, attrs }) {
    const [, height, width, channels] = inputs.x.shape as [number, number, number, number];
    const weights = gaussianTaps(attrs);
    const radius = (attrs.taps - 1) / 2;
    const rows = new Float64Array(x.length);
    forEachElement(inputs.x.shape, (_n, _h, w, _c, index) => {
      weights.forEach((weight, k) => {
        rows[index]! += weight * x[index + (reflect(w + k - radius, width) - w) * channels]!;
      });
    });
    const y = new Float64Array(x.length);
    forEachElement(inputs.x.shape, (_n, h, _w, _c, index) => {
      weights.forEach((weight, k) => {
        y[index]! += weight * rows[index + (reflect(h + k - radius, height) - h) * width * channels]!;
      });
    });
    return { y };
  },
  cost: ({ inputs, attrs }) => ({
    flops: 4 * attrs.taps * sizeOf(inputs.x.shape),
    bytes: 2 * bytesOf(inputs.x),
  }),
  cases: [
    { name: "one element", inputs: { x: [1, 1, 1, 1] }, attrs: { sigma: 1, taps: 1 } },
    { name: "two pixels", inputs: { x: [1, 2, 2, 1] }, attrs: { sigma: 1, taps: 3 } },
    { name: "the widest border", inputs: { x: [1, 4, 5, 1] }, attrs: { sigma: 2, taps: 7 } },
    { name: "prime sizes", inputs: { x: [2, 17, 11, 3] }, attrs: { sigma: 1.5, taps: 9 } },
    { name: "channels by four", inputs: { x: [1, 9, 13, 8] }, attrs: { sigma: 0.8, taps: 5 } },
    { name: "anomaly map", inputs: { x: [2, 256, 256, 1] }, attrs: { sigma: 4, taps: 33 }, bench: true },
  ],
  refusals: [
    {
      inputs: { x: [1, 20, 16, 1] },
      attrs: { sigma: 4, taps: 33 },
      message:
        /gaussianBlur: x \[1, 20, 16, 1\] is too small to be reflected by 16 pixels; use at most 31 taps/,
    },
    {
      inputs: { x: [1, 20, 20, 1] },
      attrs: { sigma: 4, taps: 8 },
      message: /gaussianBlur: taps must be an odd whole number but is 8/,
    },
    {
      inputs: { x: [1, 20, 20, 1] },
      attrs: { sigma: 0, taps: 9 },
      message: /gaussianBlur: sigma must be a number above 0 but is 0/,
    },
    {
      inputs: { x: [20, 20] },
      attrs: { sigma: 1, taps: 9 },
      message: /gaussianBlur: x must have 4 axes but is \[20, 20\]/,
    },
  ],
});
