/** Gradient cases of what is made of elementwise operations and moves: activations, pixels out of channels, norms of channels. */
import * as t from "@ddad/tensor";
import type { GradientCase } from "./gradientCases.ts";

/** On both sides of every kink, which lie at 0, ±0.4 and ±0.5, and at none of them. */
const around = (...shape: number[]): GradientCase["inputs"][number] => ({
  shape,
  fill: (index, uniform) => [-0.9, -0.25, 0.2, 0.6][index % 4]! + 0.1 * uniform(),
});

const plain = (...shape: number[]): GradientCase["inputs"][number] => ({ shape });

const of = (
  name: string,
  input: GradientCase["inputs"][number],
  run: (x: t.Tensor) => t.Tensor,
): GradientCase => ({ name, inputs: [input], run: (x) => run(x!) });

export const activationCases: readonly GradientCase[] = [
  of("softsign", around(3, 5), t.softsign),
  of("softshrink", around(3, 5), (x) => t.softshrink(x, 0.4)),
  of("hardshrink", around(3, 5), (x) => t.hardshrink(x)),
  of("threshold", around(3, 5), (x) => t.threshold(x, 0.4, -2)),
  { name: "prelu", inputs: [around(2, 3, 4), plain(4)], run: (x, weight) => t.prelu(x!, weight!) },
  of("pixelShuffle", plain(2, 2, 3, 8), (x) => t.pixelShuffle(x, 2)),
  of("localResponseNorm", plain(2, 3, 5), (x) => t.localResponseNorm(x, { size: 4, alpha: 0.5 })),
  of("pixelUnshuffle", plain(1, 4, 6, 3), (x) => t.pixelUnshuffle(x, 2)),
];
