/** The gradient of `maxPool`: each window gives its gradient to its first maximum (smallest row, then column). */
import { checkImage } from "../conv2d/geometry.ts";
import { check } from "../errors.ts";
import { gridStride } from "../gridStride.ts";
import { defineKernel } from "../kernel.ts";
import { bytesOf, ceilDiv, sameShape, show, sizeOf, spec } from "../spec.ts";
import { imageOf, splitIndex } from "./images.ts";
import type { MaxPoolAttrs } from "./maxPool.ts";
import { argmaxOfWindows, checkWindows, pooledShape } from "./windows.ts";

/** Inputs x [N, H, W, C] as it was pooled and gradient of y [N, OH, OW, C]; output xGradient [N, H, W, C]. */
export const maxPoolGradient = defineKernel({
  name: "maxPoolGradient",
  inputs: ["x", "gradient"],
  outputs: ["xGradient"],
  params: { size: "u32", windows: "u32" },
  infer({ x, gradient }, attrs: MaxPoolAttrs) {
    const op = "maxPoolGradient";
    checkImage(op, "x", x);
    checkImage(op, "gradient", gradient);
    checkWindows(op, attrs);
    const pooled = pooledShape(op, x.shape, attrs, attrs.ceil);
    check(
      sameShape(pooled, gradient.shape),
      op,
      `pooling x ${show(x.shape)} gives ${show(pooled)}, but gradient is ${show(gradient.shape)}.`,
    );
    return {
      outputs: { xGradient: spec(x.shape) },
      params: { size: imageOf(x.shape).size, windows: imageOf(pooled).size },
    };
  },
  variants: [
    {
      // First where each window's maximum is, then a pixel collects from the windows that it won.
      name: "gather",
      scratch: (_caps, { inputs }) => ({ winner: spec(inputs.gradient.shape, "u32") }),
      passes(caps, { inputs, attrs: { kernelSize, stride, padding } }) {
        const image = imageOf(inputs.x.shape);
        const pooled = imageOf(inputs.gradient.shape);
        // Windows that may cover a pixel, along one axis.
        const reach = ceilDiv(kernelSize, stride);
        const position = image.element === "f32" ? "u32" : "vec4<u32>";
        return [
          {
            label: "winner",
            read: { x: image.element },
            write: { winner: position },
            ...gridStride(
              caps,
              pooled.size,
              "params.windows",
              /* wgsl */ `
    ${splitIndex(pooled)}
    var best = ${image.element}(-3.4e38);
    var at = ${position}(0);
    for (var k = 0u; k < ${kernelSize}u; k++) {
      let h = row * ${stride}u + k - ${padding}u;
      if (h >= ${image.height}u) { continue; }
      for (var j = 0u; j < ${kernelSize}u; j++) {
        let w = column * ${stride}u + j - ${padding}u;
        if (w >= ${image.width}u) { continue; }
        let pixel = h * ${image.width}u + w;
        let value = x[(n * ${image.height * image.width}u + pixel) * ${image.units}u + c];
        at = select(at, ${position}(pixel), value > best);
        best = max(best, value);
      }
    }
    winner[i] = at;`,
            ),
          },
          {
            label: "collect",
            read: { winner: position, gradient: image.element },
            write: { xGradient: image.element },
            ...gridStride(
              caps,
              image.size,
              "params.size",
              /* wgsl */ `
    ${splitIndex(image)}
    let here = ${position}(row * ${image.width}u + column);
    var total = ${image.element}(0);
    for (var k = 0u; k < ${reach}u; k++) {
      let h = (row + ${padding}u) / ${stride}u - k;
      if (h >= ${pooled.height}u) { continue; }
      for (var j = 0u; j < ${reach}u; j++) {
        let w = (column + ${padding}u) / ${stride}u - j;
        if (w >= ${pooled.width}u) { continue; }
        let at = ((n * ${pooled.height}u + h) * ${pooled.width}u + w) * ${pooled.units}u + c;
        total += select(${image.element}(0), gradient[at], winner[at] == here);
      }
    }
    xGradient[i] = total;`,
            ),
          },
        ];
      },
    },
  ],
  reference({ x, gradient }, { inputs, attrs }) {
    const xGradient = new Float64Array(sizeOf(inputs.x.shape));
    argmaxOfWindows(x, inputs.x.shape, inputs.gradient.shape, attrs).forEach((xIndex, yIndex) => {
      xGradient[xIndex]! += gradient[yIndex]!;
    });
    return { xGradient };
  },
  cost: ({ inputs, attrs }) => ({
    flops: sizeOf(inputs.gradient.shape) * (attrs.kernelSize ** 2 + 1),
    bytes: 2 * bytesOf(inputs.x) + bytesOf(inputs.gradient),
  }),
  cases: [
    {
      name: "one element",
      inputs: { x: [1, 1, 1, 1], gradient: [1, 1, 1, 1] },
      attrs: { kernelSize: 1, stride: 1, padding: 0, ceil: false },
    },
    {
      name: "ties: the first one wins",
      inputs: {
        x: { shape: [2, 6, 7, 3], fill: (_, uniform) => Math.floor(2 * uniform()) },
        gradient: [2, 3, 4, 3],
      },
      attrs: { kernelSize: 3, stride: 2, padding: 1, ceil: false },
    },
    {
      name: "overlapping windows, prime sizes",
      inputs: { x: [2, 7, 11, 5], gradient: [2, 5, 9, 5] },
      attrs: { kernelSize: 3, stride: 1, padding: 0, ceil: false },
    },
    {
      name: "rounded up",
      inputs: { x: [2, 8, 6, 4], gradient: [2, 4, 3, 4] },
      attrs: { kernelSize: 3, stride: 2, padding: 0, ceil: true },
    },
    {
      name: "pixels in no window",
      inputs: { x: [1, 8, 8, 4], gradient: [1, 3, 3, 4] },
      attrs: { kernelSize: 2, stride: 3, padding: 0, ceil: false },
    },
    {
      name: "stem of a ResNet",
      inputs: { x: [1, 64, 64, 64], gradient: [1, 32, 32, 64] },
      attrs: { kernelSize: 3, stride: 2, padding: 1, ceil: false },
      bench: true,
    },
  ],
  refusals: [
    {
      inputs: { x: [1, 4, 4, 1], gradient: [1, 3, 3, 1] },
      attrs: { kernelSize: 2, stride: 2, padding: 0, ceil: false },
      message:
        /maxPoolGradient: pooling x \[1, 4, 4, 1\] gives \[1, 2, 2, 1\], but gradient is \[1, 3, 3, 1\]/,
    },
    {
      inputs: { x: [1, 4, 4, 1], gradient: { shape: [1, 2, 2, 1], dtype: "i32" } },
      attrs: { kernelSize: 2, stride: 2, padding: 0, ceil: false },
      message: /maxPoolGradient: gradient must be f32 but is i32/,
    },
  ],
});
