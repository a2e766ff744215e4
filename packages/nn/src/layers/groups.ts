/** What the layers of convolutions check alike. */
import { checkSizes } from "../arguments.ts";

/** Names of the options of `Conv1d` and `Conv2d`. */
export const convolutionOptions = [
  "stride",
  "padding",
  "dilation",
  "groups",
  "bias",
  "init",
  "initBias",
  "random",
] as const;

/** Numbers of a convolution, with their defaults filled in. */
export interface ConvolutionSizes {
  readonly inputs: number;
  readonly outputs: number;
  readonly groups: number;
  /** A number, or one for each side. */
  readonly sides: Readonly<Record<"kernelSize" | "stride" | "dilation", unknown>>;
  /** What may be 0. */
  readonly margins: Readonly<Record<string, unknown>>;
}

/** Throws RangeError unless all are whole numbers, and `groups` divides the channels in and out. `axes` is 1 for sequences, 2 for images. */
export function checkConvolution(
  layer: string,
  axes: 1 | 2,
  { inputs, outputs, groups, sides, margins }: ConvolutionSizes,
): void {
  checkSizes(layer, { inputs, outputs });
  checkSizes(layer, sides, 1, axes === 1 ? [] : [2]);
  checkSizes(layer, margins, 0, axes === 1 ? [2] : [2, 4]);
  if (Number.isInteger(groups) && groups >= 1 && inputs % groups === 0 && outputs % groups === 0) return;
  throw new RangeError(
    `${layer}: groups must divide inputs (${inputs}) and outputs (${outputs}), but is ${groups}.`,
  );
}
