/** Common parts of the resampling kernels: images in units of four channels where the channels divide by four. */
import { type DType, type Shape, sizeOf } from "../spec.ts";
import { quotient, remainder, uniform } from "../uniform.ts";

/** An image `[N, H, W, C]`; `units` per pixel of WGSL type `element`, each `width` channels. */
export interface Image {
  readonly height: number;
  readonly width: number;
  readonly units: number;
  readonly element: string;
  /** Units in the whole tensor: threads when each makes one. */
  readonly size: number;
}

export function imageOf(shape: Shape, dtype: DType = "f32"): Image {
  const [, height, width, channels] = shape as [number, number, number, number];
  const lanes = channels % 4 === 0 ? 4 : 1;
  const element = lanes === 4 ? `vec4<${dtype}>` : dtype;
  return { height, width, units: channels / lanes, element, size: sizeOf(shape) / lanes };
}

/** The type in which elements are computed: f16 is widened to f32. */
export const wide = (element: string): string => element.replace("f16", "f32");

/** Splits the thread index `i` over the units of an image into channel `c`, `column`, `row` and image `n`. */
export const splitIndex = ({ height, width, units, size }: Image): string => /* wgsl */ `
  let pixel = ${quotient("i", "units", units, size)};
  let c = ${remainder("i", "pixel", "units", units)};
  let line = ${quotient("pixel", "imageWidth", width, size / units)};
  let column = ${remainder("pixel", "line", "imageWidth", width)};
  let n = ${quotient("line", "imageHeight", height, size / units / width)};
  let row = ${remainder("line", "n", "imageHeight", height)};`;

/**
 * The block of 2×2 pixels in an image twice as high and as wide as this one that the unit `i` belongs to: `at`, its first unit, and the
 * distances to the pixels on the `right` and `below`.
 */
export const blockOf = ({ width, units, size }: Image): string => {
  const line = units * width;
  return /* wgsl */ `
    let right = ${uniform("units", units)};
    let below = 2u * ${uniform("line", line)};
    // Each pixel before it adds one pixel, and each line two lines.
    let at = i + ${quotient("i", "units", units, size)} * right + ${quotient("i", "line", line, size)} * below;`;
};

/** Visits every element of an image `[N, H, W, C]` with its flat index: the loops of the references. */
export function forEachElement(
  shape: Shape,
  visit: (n: number, row: number, column: number, c: number, index: number) => void,
): void {
  const [batch, height, width, channels] = shape as [number, number, number, number];
  let index = 0;
  for (let n = 0; n < batch; n++)
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++)
        for (let c = 0; c < channels; c++) visit(n, row, column, c, index++);
}
