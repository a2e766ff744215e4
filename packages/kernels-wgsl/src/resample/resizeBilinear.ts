/** Bilinear resizing of images to any size, as PyTorch's `interpolate(mode="bilinear")` without antialiasing. */
import { checkImage } from "../conv2d/geometry.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, sizeOf, spec } from "../spec.ts";
import { checkSize, forEachCorner, samplingCode, samplingConstant, samplingOf } from "./bilinear.ts";
import { imageOf, splitIndex } from "./images.ts";

/** Attributes of `resizeBilinear`. */
export interface ResizeBilinearAttrs {
  /** Height and width of `y`. */
  readonly size: readonly [height: number, width: number];
  /** Whether the centres of the corner pixels of `x` and `y` coincide; else the images' edges do. */
  readonly alignCorners: boolean;
}

/** Input x [N, H, W, C]; output y [N, size[0], size[1], C]. */
export const resizeBilinear = defineKernel({
  name: "resizeBilinear",
  inputs: ["x"],
  outputs: ["y"],
  params: { size: "u32" },
  infer({ x }, { size }: ResizeBilinearAttrs) {
    checkImage("resizeBilinear", "x", x);
    checkSize("resizeBilinear", "size of x", x.shape.slice(1, 3));
    checkSize("resizeBilinear", "size", size);
    const shape = [x.shape[0]!, ...size, x.shape[3]!];
    return { outputs: { y: spec(shape) }, params: { size: imageOf(shape).size } };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs, outputs, attrs }) {
        const from = imageOf(inputs.x.shape);
        const to = imageOf(outputs.y.shape);
        const vertical = samplingOf(from.height, to.height, attrs.alignCorners);
        const horizontal = samplingOf(from.width, to.width, attrs.alignCorners);
        const loop = gridStride(
          caps,
          to.size,
          "params.size",
          /* wgsl */ `
    ${splitIndex(to)}
    let h = positionOf(row, vertical);
    let w = positionOf(column, horizontal);
    let top = u32(h / vertical.denominator);
    let left = u32(w / horizontal.denominator);
    let down = f32(h % vertical.denominator) / f32(vertical.denominator);
    let along = f32(w % horizontal.denominator) / f32(horizontal.denominator);
    let at = ((n * ${from.height}u + top) * ${from.width}u + left) * ${from.units}u + c;
    let right = select(0u, ${from.units}u, left < ${from.width - 1}u);
    let below = select(0u, ${from.width * from.units}u, top < ${from.height - 1}u);
    let upper = mix(x[at], x[at + right], along);
    let lower = mix(x[at + below], x[at + below + right], along);
    y[i] = mix(upper, lower, down);`,
        );
        return [
          {
            read: { x: from.element },
            write: { y: to.element },
            ...loop,
            code: /* wgsl */ `
${samplingCode}
const vertical = ${samplingConstant(vertical)};
const horizontal = ${samplingConstant(horizontal)};
${loop.code}`,
          },
        ];
      },
    },
  ],
  reference({ x }, { inputs, outputs, attrs }) {
    const [batch, height, width, channels] = inputs.x.shape as [number, number, number, number];
    const y = new Float64Array(sizeOf(outputs.y.shape));
    forEachCorner([height, width], attrs.size, attrs.alignCorners, (output, input, weight) => {
      for (let n = 0; n < batch; n++)
        for (let c = 0; c < channels; c++)
          y[(n * attrs.size[0] * attrs.size[1] + output) * channels + c]! +=
            weight * x[(n * height * width + input) * channels + c]!;
    });
    return { y };
  },
  cost: ({ inputs, outputs }) => ({
    flops: 8 * sizeOf(outputs.y.shape),
    bytes: bytesOf(inputs.x) + bytesOf(outputs.y),
  }),
  cases: [
    { name: "one element", inputs: { x: [1, 1, 1, 1] }, attrs: { size: [1, 1], alignCorners: false } },
    { name: "one pixel to many", inputs: { x: [2, 1, 1, 3] }, attrs: { size: [3, 5], alignCorners: true } },
    { name: "many to one pixel", inputs: { x: [2, 3, 5, 3] }, attrs: { size: [1, 1], alignCorners: true } },
    { name: "many to one area", inputs: { x: [2, 3, 5, 3] }, attrs: { size: [1, 1], alignCorners: false } },
    { name: "enlarged, corners", inputs: { x: [2, 5, 7, 3] }, attrs: { size: [11, 13], alignCorners: true } },
    { name: "enlarged, edges", inputs: { x: [2, 5, 7, 4] }, attrs: { size: [11, 13], alignCorners: false } },
    { name: "reduced, corners", inputs: { x: [1, 17, 13, 5] }, attrs: { size: [5, 4], alignCorners: true } },
    { name: "reduced, edges", inputs: { x: [1, 17, 13, 8] }, attrs: { size: [5, 4], alignCorners: false } },
    { name: "the same size", inputs: { x: [1, 6, 5, 1] }, attrs: { size: [6, 5], alignCorners: false } },
    {
      name: "distance map of layer 2",
      inputs: { x: [2, 32, 32, 1] },
      attrs: { size: [256, 256], alignCorners: true },
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [4, 4, 3] },
      attrs: { size: [8, 8], alignCorners: true },
      message: /resizeBilinear: x must have 4 axes but is \[4, 4, 3\]/,
    },
    {
      inputs: { x: [1, 4, 4, 3] },
      attrs: { size: [8, 0], alignCorners: true },
      message: /resizeBilinear: size \[8, 0\] must be a height and a width, whole numbers of 1 to 16,384/,
    },
  ],
});
