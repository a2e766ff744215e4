/** The gradient of `gaussianBlur`: its adjoint, `xGradient[j] = Σ gradient[i] w_k` over all i, k whose position reflects to j. */
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

/** Input gradient of y [N, H, W, C]; output xGradient, the same shape. */
export const gaussianBlurGradient = defineKernel({
  name: "gaussianBlurGradient",
  inputs: ["gradient"],
  outputs: ["xGradient"],
  params: blurParams,
  infer({ gradient }, attrs: GaussianBlurAttrs) {
    checkBlur("gaussianBlurGradient", "gradient", gradient, attrs);
    return { outputs: { xGradient: gradient }, params: blurParamsOf(gradient.shape) };
  },
  variants: [
    {
      name: "separable",
      scratch: (_caps, { inputs }) => ({ rows: spec(inputs.gradient.shape) }),
      passes: (_caps, { inputs, attrs }) =>
        blurPasses("gradient", "xGradient", inputs.gradient.shape, attrs, true),
    },
  ],
  reference({ gradient }, { inputs, attrs }) {
    const [, height, width, channels] = inputs.gradient.shape as [number, number, number, number];
    const weights = gaussianTaps(attrs);
    const radius = (attrs.taps - 1) / 2;
    const rows = new Float64Array(gradient.length);
    forEachElement(inputs.gradient.shape, (_n, h, _w, _c, index) => {
      weights.forEach((weight, k) => {
        const row = reflect(h + k - radius, height);
        rows[index + (row - h) * width * channels]! += weight * gradient[index]!;
      });
    });
    const xGradient = new Float64Array(gradient.length);
    forEachElement(inputs.gradient.shape, (_n, _h, w, _c, index) => {
      weights.forEach((weight, k) => {
        const column = reflect(w + k - radius, width);
        xGradient[index + (column - w) * channels]! += weight * rows[index]!;
      });
    });
    return { xGradient };
  },
  cost: ({ inputs, attrs }) => ({
    flops: 4 * attrs.taps * sizeOf(inputs.gradient.shape),
    bytes: 2 * bytesOf(inputs.gradient),
  }),
  cases: [
    { name: "one element", inputs: { gradient: [1, 1, 1, 1] }, attrs: { sigma: 1, taps: 1 } },
    { name: "two pixels", inputs: { gradient: [1, 2, 2, 1] }, attrs: { sigma: 1, taps: 3 } },
    { name: "the widest border", inputs: { gradient: [1, 4, 5, 1] }, attrs: { sigma: 2, taps: 7 } },
    { name: "prime sizes", inputs: { gradient: [2, 17, 11, 3] }, attrs: { sigma: 1.5, taps: 9 } },
    { name: "channels by four", inputs: { gradient: [1, 9, 13, 8] }, attrs: { sigma: 0.8, taps: 5 } },
    { name: "anomaly map", inputs: { gradient: [2, 64, 64, 1] }, attrs: { sigma: 4, taps: 33 }, bench: true },
  ],
  refusals: [
    {
      inputs: { gradient: [1, 20, 16, 1] },
      attrs: { sigma: 4, taps: 33 },
      message: /gaussianBlurGradient: gradient \[1, 20, 16, 1\] is too small to be reflected by 16 pixels/,
    },
    {
      inputs: { gradient: [1, 20, 20, 1] },
      attrs: { sigma: 4, taps: 8 },
      message: /gaussianBlurGradient: taps must be an odd whole number but is 8/,
    },
  ],
});
