/** The large convolutions of DDAD on 256 × 256 pixels: 3×3, stride 1, each of 4.8 GFLOP. They are benchmarks only. */
import type { Case, CaseInput } from "../kernel.ts";
import type { DType, Shape } from "../spec.ts";
import type { Conv2dAttrs } from "./geometry.ts";

/** A convolution by the shape of its image [N, H, W, Cin], and what the kernels take of it. */
export interface LargeConvolution {
  readonly x: CaseInput;
  /** [N, H, W, Cout], y or its gradient. */
  readonly y: CaseInput;
  /** [3, 3, Cin, Cout] */
  readonly weight: CaseInput;
  /** Common to all three directions. */
  readonly attrs: Conv2dAttrs;
}

/** The first level, the third, the fifth, and the third as `precision: "mixed"` has it. */
const sizes: readonly [x: Shape, outChannels: number, dtype: DType][] = [
  [[1, 256, 256, 64], 64, "f32"],
  [[4, 64, 64, 128], 128, "f32"],
  [[16, 16, 16, 256], 256, "f32"],
  [[4, 64, 64, 128], 128, "f16"],
];

/** The cases of one direction; `use` maps a convolution to the inputs and attributes of the kernel. */
export const largeCases = <I extends string, A>(
  use: (convolution: LargeConvolution) => Pick<Case<I, A>, "inputs" | "attrs">,
): Case<I, A>[] =>
  sizes.map(([x, outChannels, dtype]) => ({
    name: `[${x.join(", ")}] to ${outChannels} channels${dtype === "f16" ? ", f16" : ""}`,
    ...use({
      x: { shape: x, dtype },
      y: { shape: [...x.slice(0, 3), outChannels], dtype },
      weight: { shape: [3, 3, x[3]!, outChannels], dtype },
      attrs: { stride: 1, padding: [1, 1, 1, 1] },
    }),
    benchOnly: true,
  }));
