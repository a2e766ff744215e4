/** Which pixel of a window is its maximum, for the gradient of `maxPool` and what picks the winners' values. */
import { type Shape, sizeOf } from "../spec.ts";
import { type Image, splitIndex, wide } from "./images.ts";
import { forEachWindowPixel, overWindow, pooledShape, type WindowAxes } from "./windows.ts";

/** WGSL type of pixel indices, a vector where images are read so. */
export const positionOf = ({ element }: Image): string => (element.startsWith("vec4") ? "vec4<u32>" : "u32");

/**
 * WGSL that finds in `at` the winner of the window of thread `i`, as an index into the pixels of its image: the first of equals,
 * and of several NaN the last, as in PyTorch. NaN is detected by its bits, because compilers may assume that it does not occur.
 * A window without pixels has the index 0xffffffff.
 */
export function winnerCode(image: Image, pooled: Image, axes: WindowAxes): string {
  const element = wide(image.element);
  const position = positionOf(image);
  const bool = position === "u32" ? "bool" : "vec4<bool>";
  return /* wgsl */ `
    ${splitIndex(pooled)}
    var best = ${element}(params.lowest);
    var at = ${position}(0xffffffffu);
    var poisoned = ${bool}(false);
    ${overWindow(
      axes,
      /* wgsl */ `let pixel = h * ${image.width}u + w;
        let value = ${element}(x[(n * ${image.height * image.width}u + pixel) * ${image.units}u + c]);
        let nan = (bitcast<${position}>(value) & ${position}(0x7fffffffu)) > ${position}(0x7f800000u);
        let wins = nan | (!poisoned & ((value > best) | (at == ${position}(0xffffffffu))));
        at = select(at, ${position}(pixel), wins);
        best = select(best, value, wins);
        poisoned = poisoned | nan;`,
    )}`;
}

/** For each element of `y`, the flat index in `x` of its window's winner; −1 where it has no pixel. */
export function winnersOf(x: ArrayLike<number>, shape: Shape, axes: WindowAxes): Int32Array {
  const best = new Int32Array(sizeOf(pooledShape(shape, axes))).fill(-1);
  forEachWindowPixel(shape, axes, (yIndex, xIndex) => {
    const known = best[yIndex]!;
    if (known < 0 || Number.isNaN(x[xIndex]) || x[xIndex]! > x[known]!) best[yIndex] = xIndex;
  });
  return best;
}
