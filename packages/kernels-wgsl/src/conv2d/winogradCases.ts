/** Convolutions large enough for Winograd's algorithm on software adapters, for every path of its passes. */
import type { Case } from "../kernel.ts";
import type { DType, Shape } from "../spec.ts";
import type { Padding } from "./geometry.ts";
import type { LargeConvolution } from "./largeCases.ts";

const sizes: readonly [what: string, x: Shape, outChannels: number, padding: Padding, dtype: DType][] = [
  ["odd height and width", [2, 13, 17, 96], 132, [1, 1, 1, 1], "f32"],
  ["no padding", [1, 21, 20, 128], 128, [0, 0, 0, 0], "f32"],
  ["all the padding that changes anything", [1, 17, 16, 128], 128, [2, 2, 2, 2], "f32"],
  ["uneven padding", [1, 19, 20, 128], 128, [2, 0, 0, 1], "f32"],
  ["f16", [1, 18, 19, 128], 128, [1, 1, 1, 1], "f16"],
];

/** The cases of one direction; `use` maps a convolution to the inputs and attributes of the kernel. */
export const winogradCases = <I extends string, A>(
  use: (convolution: LargeConvolution) => Pick<Case<I, A>, "inputs" | "attrs">,
): Case<I, A>[] =>
  sizes.map(([what, [batch, height, width, inChannels], outChannels, padding, dtype]) => {
    const [top, left, bottom, right] = padding;
    const y = [batch!, height! + top + bottom - 2, width! + left + right - 2, outChannels];
    return {
      name: `many channels, ${what}`,
      ...use({
        x: { shape: [batch!, height!, width!, inChannels!], dtype },
        y: { shape: y, dtype },
        weight: { shape: [3, 3, inChannels!, outChannels], dtype },
        attrs: { stride: 1, padding },
      }),
    };
  });
