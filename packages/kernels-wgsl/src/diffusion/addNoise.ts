/** The forward process at a given noise level: `y = √ᾱ x + √(1−ᾱ) noise`, with an ᾱ for each image (DDPM, eq. 4). */
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, sameShape, show, sizeOf } from "../spec.ts";

/** Inputs x and noise [N, …], alphaBar [N], all f32; output y [N, …]. */
export const addNoise = defineKernel({
  name: "addNoise",
  inputs: ["x", "noise", "alphaBar"],
  outputs: ["y"],
  params: { size: "u32" },
  infer({ x, noise, alphaBar }, _attrs: Record<string, never>) {
    for (const [name, { dtype }] of Object.entries({ x, noise, alphaBar }))
      check(dtype === "f32", "addNoise", () => `${name} must be f32 but is ${dtype}; cast it first.`);
    check(
      sameShape(x.shape, noise.shape) && x.shape.length >= 1,
      "addNoise",
      () => `x ${show(x.shape)} and noise ${show(noise.shape)} must have the same shape [N, …].`,
    );
    check(
      sameShape(alphaBar.shape, [x.shape[0]!]),
      "addNoise",
      () => `alphaBar must be [${x.shape[0]}], one for each image, but is ${show(alphaBar.shape)}.`,
    );
    return { outputs: { y: x }, params: { size: sizeOf(x.shape) } };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs, params }) {
        const image = sizeOf(inputs.x.shape.slice(1));
        const width = image % 4 === 0 ? 4 : 1;
        const element = width === 4 ? "vec4<f32>" : "f32";
        return [
          {
            read: { x: element, noise: element, alphaBar: "f32" },
            write: { y: element },
            ...gridStride(
              caps,
              params.size / width,
              `params.size / ${width}u`,
              /* wgsl */ `
    let level = alphaBar[i / ${image / width}u];
    y[i] = sqrt(level) * x[i] + sqrt(1.0 - level) * noise[i];`,
            ),
          },
        ];
      },
    },
  ],
  reference({ x, noise, alphaBar }) {
    const image = x.length / alphaBar.length;
    return {
      y: x.map((value, i) => {
        const level = alphaBar[Math.floor(i / image)]!;
        return Math.sqrt(level) * value + Math.sqrt(1 - level) * noise[i]!;
      }),
    };
  },
  cost: ({ inputs }) => ({ flops: 3 * sizeOf(inputs.x.shape), bytes: 3 * bytesOf(inputs.x) }),
  cases: [
    {
      name: "one element",
      inputs: { x: [1], noise: [1], alphaBar: { shape: [1], fill: () => 0.3 } },
      attrs: {},
    },
    {
      name: "odd images",
      inputs: {
        x: [3, 5, 7, 1],
        noise: [3, 5, 7, 1],
        alphaBar: { shape: [3], fill: (_, uniform) => uniform() },
      },
      attrs: {},
    },
    {
      name: "no noise and nothing but noise",
      inputs: { x: [2, 12], noise: [2, 12], alphaBar: { shape: [2], fill: (n) => n } },
      attrs: {},
    },
    {
      name: "training images",
      inputs: {
        x: [8, 64, 64, 3],
        noise: [8, 64, 64, 3],
        alphaBar: { shape: [8], fill: (_, uniform) => uniform() },
      },
      attrs: {},
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [2, 3], noise: [2, 4], alphaBar: [2] },
      attrs: {},
      message: /addNoise: x \[2, 3\] and noise \[2, 4\] must have the same shape \[N, …\]/,
    },
    {
      inputs: { x: [2, 3], noise: [2, 3], alphaBar: [1] },
      attrs: {},
      message: /addNoise: alphaBar must be \[2\], one for each image, but is \[1\]/,
    },
    {
      inputs: { x: [2, 3], noise: { shape: [2, 3], dtype: "i32" }, alphaBar: [2] },
      attrs: {},
      message: /addNoise: noise must be f32 but is i32/,
    },
  ],
});
