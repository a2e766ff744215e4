/** Pixels of images at given positions: PyTorch's `grid_sample`. */
import { checkImage } from "../conv2d/geometry.ts";
import { gridStride } from "../gridStride.ts";
import { type Case, defineKernel } from "../kernel.ts";
import { repeat } from "../repeat.ts";
import { bytesOf, type DType, type Shape, sizeOf, spec } from "../spec.ts";
import { checkGrid, forEachRead, type GridSampleAttrs, tapsCode, tapsOf, tapsStruct } from "./gridTaps.ts";
import { imageOf, splitIndex, wide } from "./images.ts";

export type { GridSampleAttrs } from "./gridTaps.ts";

const op = "gridSample";

const sizes: readonly [x: Shape, size: readonly [number, number], dtype?: DType][] = [
  [
    [1, 1, 1, 1],
    [1, 1],
  ],
  [
    [2, 5, 7, 3],
    [4, 3],
  ],
  [
    [2, 4, 3, 8],
    [3, 5],
  ],
  [[1, 3, 4, 4], [5, 2], "f16"],
];

/** Positions inside and outside of the images, in every mode: the cases of both directions. */
export const gridCases = <I extends string, A>(
  use: (call: {
    readonly x: { readonly shape: Shape; readonly dtype: DType };
    readonly y: { readonly shape: Shape; readonly dtype: DType };
    readonly grid: {
      readonly shape: Shape;
      readonly fill: (index: number, uniform: () => number) => number;
    };
    readonly attrs: GridSampleAttrs;
  }) => Pick<Case<I, A>, "inputs" | "attrs">,
): Case<I, A>[] => {
  const fill = (_: number, uniform: () => number): number => 3.2 * uniform() - 1.6;
  const cases = sizes.flatMap(([x, size, dtype = "f32"], k) =>
    (["bilinear", "nearest", "bicubic"] as const).flatMap((mode) =>
      (["zeros", "border", "reflection"] as const).map((paddingMode, p) => ({
        name: `${mode}, ${paddingMode}, [${x.join(", ")}]${dtype === "f16" ? ", f16" : ""}`,
        ...use({
          x: { shape: x, dtype },
          y: { shape: [x[0]!, ...size, x[3]!], dtype },
          grid: { shape: [x[0]!, ...size, 2], fill },
          attrs: { mode, paddingMode, alignCorners: (k + p) % 2 === 1 },
        }),
      })),
    ),
  );
  const [x, y] = [
    [2, 32, 32, 64],
    [2, 32, 32, 64],
  ];
  const warped = use({
    x: { shape: x, dtype: "f32" },
    y: { shape: y, dtype: "f32" },
    grid: { shape: [2, 32, 32, 2], fill },
    attrs: { mode: "bilinear", paddingMode: "zeros", alignCorners: false },
  });
  return [...cases, { name: "a warped feature map", ...warped, bench: true }];
};

/** Inputs x [N, H, W, C] and grid f32 [N, OH, OW, 2] of (x, y) from −1 to 1; output y [N, OH, OW, C] of the type of x. */
export const gridSample = defineKernel({
  name: op,
  inputs: ["x", "grid"],
  outputs: ["y"],
  params: { size: "u32" },
  infer({ x, grid }, attrs: GridSampleAttrs) {
    checkImage(op, "x", x, true);
    checkGrid(op, x.shape, grid, attrs);
    const y = spec([x.shape[0]!, grid.shape[1]!, grid.shape[2]!, x.shape[3]!], x.dtype);
    return { outputs: { y }, params: { size: imageOf(y.shape).size } };
  },
  variants: [
    {
      name: "direct",
      passes(caps, { inputs, outputs, attrs }) {
        const from = imageOf(inputs.x.shape, inputs.x.dtype);
        const to = imageOf(outputs.y.shape, outputs.y.dtype);
        const element = wide(from.element);
        const count = tapsOf(attrs);
        const loop = gridStride(
          caps,
          to.size,
          "params.size",
          /* wgsl */ `
    ${splitIndex(to)}
    let position = grid[i / ${to.units}u];
    let rows = tapsV(position.y);
    let columns = tapsH(position.x);
    var total = ${element}(0);
${repeat(count, (j) =>
  repeat(count, (k) => {
    const at = `((n * ${from.height}u + rows.at[${j}]) * ${from.width}u + columns.at[${k}]) * ${from.units}u + c`;
    // Taps outside the image are skipped, whatever the edge pixel holds.
    return `    total += select(${element}(0), rows.weight[${j}] * columns.weight[${k}] * ${element}(x[${at}]), rows.inside[${j}] && columns.inside[${k}]);`;
  }),
)}
    y[i] = ${to.element}(total);`,
        );
        return [
          {
            read: { x: from.element, grid: "vec2<f32>" },
            write: { y: to.element },
            ...loop,
            code: `${tapsStruct(attrs)}${tapsCode("V", from.height, attrs)}${tapsCode("H", from.width, attrs)}${loop.code}`,
          },
        ];
      },
    },
  ],
  reference({ x, grid }, { inputs, outputs, attrs }) {
    const [, height, width, channels] = outputs.y.shape as [number, number, number, number];
    const y = new Float64Array(sizeOf(outputs.y.shape));
    forEachRead(inputs.x.shape, grid, [height, width], attrs, (yPixel, xPixel, weight) => {
      for (let c = 0; c < channels; c++) y[yPixel * channels + c]! += weight * x[xPixel * channels + c]!;
    });
    return { y };
  },
  cost: ({ inputs, outputs, attrs }) => ({
    flops: 3 * tapsOf(attrs) ** 2 * sizeOf(outputs.y.shape),
    bytes: bytesOf(inputs.x) + bytesOf(inputs.grid) + bytesOf(outputs.y),
  }),
  cases: gridCases(({ x, grid, attrs }) => ({ inputs: { x, grid }, attrs })),
  refusals: [
    {
      inputs: { x: [2, 4, 4, 3], grid: [1, 4, 4, 2] },
      attrs: { mode: "bilinear", paddingMode: "zeros", alignCorners: false },
      message: /gridSample: grid must be \[2, OH, OW, 2\] for x \[2, 4, 4, 3\] but is \[1, 4, 4, 2\]/,
    },
    {
      inputs: { x: [1, 0, 4, 3], grid: [1, 4, 4, 2] },
      attrs: { mode: "bilinear", paddingMode: "zeros", alignCorners: false },
      message: /gridSample: x \[1, 0, 4, 3\] has no pixels to sample/,
    },
    {
      inputs: { x: [1, 4, 4, 3], grid: { shape: [1, 4, 4, 2], dtype: "f16" } },
      attrs: { mode: "bilinear", paddingMode: "zeros", alignCorners: false },
      message: /gridSample: grid must be f32 but is f16; cast it first/,
    },
  ],
});
