/**
 * The gradient of `gridSample` towards its image, the adjoint in x. Each pixel walks through the positions of its image and collects
 * from those that read it: no atomics, always the same order.
 */
import { checkImage, type Sides } from "../conv2d/geometry.ts";
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { repeat } from "../repeat.ts";
import { bytesOf, show, sizeOf, spec } from "../spec.ts";
import { gridCases } from "./gridSample.ts";
import { checkGrid, forEachRead, type GridSampleAttrs, tapsCode, tapsOf, tapsStruct } from "./gridTaps.ts";
import { imageOf, splitIndex, wide } from "./images.ts";

/** Attributes of `gridSampleInputGradient`: those of the sampling, and the size of the image. */
export interface GridSampleInputGradientAttrs extends GridSampleAttrs {
  /** Height and width of the image that was sampled. */
  readonly inputSize: Sides;
}

const op = "gridSampleInputGradient";

/** Inputs gradient of y [N, OH, OW, C] and grid f32 [N, OH, OW, 2]; output xGradient [N, H, W, C] of the type of gradient. */
export const gridSampleInputGradient = defineKernel({
  name: op,
  inputs: ["gradient", "grid"],
  outputs: ["xGradient"],
  params: { size: "u32" },
  infer({ gradient, grid }, attrs: GridSampleInputGradientAttrs) {
    checkImage(op, "gradient", gradient, true);
    const shape = [gradient.shape[0]!, ...attrs.inputSize, gradient.shape[3]!];
    checkGrid(op, shape, grid, attrs);
    check(
      gradient.shape[1] === grid.shape[1] && gradient.shape[2] === grid.shape[2],
      op,
      () =>
        `gradient ${show(gradient.shape)} must have a pixel for each position of grid ${show(grid.shape)}.`,
    );
    return { outputs: { xGradient: spec(shape, gradient.dtype) }, params: { size: imageOf(shape).size } };
  },
  variants: [
    {
      name: "gather",
      passes(caps, { inputs, outputs, attrs }) {
        const from = imageOf(inputs.gradient.shape, inputs.gradient.dtype);
        const to = imageOf(outputs.xGradient.shape, outputs.xGradient.dtype);
        const element = wide(to.element);
        const count = tapsOf(attrs);
        const positions = from.height * from.width;
        const total = (taps: string, pixel: string): string =>
          repeat(count, (k) => `select(0.0, ${taps}.weight[${k}], ${taps}.at[${k}] == ${pixel})`, " + ");
        const loop = gridStride(
          caps,
          to.size,
          "params.size",
          /* wgsl */ `
    ${splitIndex(to)}
    var total = ${element}(0);
    for (var p = n * ${positions}u; p < (n + 1u) * ${positions}u; p++) {
      let position = grid[p];
      let rows = tapsV(position.y);
      let down = ${total("rows", "row")};
      if (down == 0.0) { continue; }
      let columns = tapsH(position.x);
      let along = ${total("columns", "column")};
      if (along == 0.0) { continue; }
      total += down * along * ${element}(gradient[p * ${from.units}u + c]);
    }
    xGradient[i] = ${to.element}(total);`,
        );
        return [
          {
            read: { gradient: from.element, grid: "vec2<f32>" },
            write: { xGradient: to.element },
            ...loop,
            code: `${tapsStruct(attrs)}${tapsCode("V", to.height, attrs)}${tapsCode("H", to.width, attrs)}${loop.code}`,
          },
        ];
      },
    },
  ],
  reference({ gradient, grid }, { inputs, outputs, attrs }) {
    const { shape } = outputs.xGradient;
    const channels = shape[3]!;
    const size = [inputs.grid.shape[1]!, inputs.grid.shape[2]!] as const;
    const xGradient = new Float64Array(sizeOf(shape));
    forEachRead(shape, grid, size, attrs, (yPixel, xPixel, weight) => {
      for (let c = 0; c < channels; c++)
        xGradient[xPixel * channels + c]! += weight * gradient[yPixel * channels + c]!;
    });
    return { xGradient };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: 3 * tapsOf(attrs) ** 2 * sizeOf(inputs.gradient.shape),
    bytes: bytesOf(inputs.gradient) + bytesOf(inputs.grid) + bytesOf(outputs.xGradient),
  }),
  cases: gridCases(({ x, y, grid, attrs }) => ({
    inputs: { gradient: y, grid },
    attrs: { ...attrs, inputSize: [x.shape[1]!, x.shape[2]!] as const },
  })),
  refusals: [
    {
      inputs: { gradient: [1, 4, 4, 3], grid: [1, 4, 5, 2] },
      attrs: { mode: "bilinear", paddingMode: "zeros", alignCorners: false, inputSize: [3, 3] },
      message:
        /gridSampleInputGradient: gradient \[1, 4, 4, 3\] must have a pixel for each position of grid \[1, 4, 5, 2\]/,
    },
  ],
});
