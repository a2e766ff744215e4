/** Grouped and depthwise convolutions, for every path of the shaders. */
import type { Case } from "../kernel.ts";
import type { DType, Shape } from "../spec.ts";
import type { Conv2dAttrs } from "./geometry.ts";
import type { LargeConvolution } from "./largeCases.ts";
import { convolutionOf } from "./sidedCases.ts";

const around = (extent: number) => [extent, extent, extent, extent] as const;

const sizes: readonly [
  what: string,
  x: Shape,
  weight: Shape,
  attrs: Conv2dAttrs,
  more?: { readonly dtype?: DType; readonly bench?: boolean; readonly benchOnly?: boolean },
][] = [
  ["2 groups", [2, 5, 7, 8], [3, 3, 4, 12], { stride: 1, padding: around(1), groups: 2 }],
  ["3 groups of odd channels", [1, 6, 5, 15], [3, 2, 5, 21], { stride: 1, padding: around(1), groups: 3 }],
  ["2 groups of 6 channels out", [1, 5, 5, 4], [3, 3, 2, 12], { stride: 1, padding: around(1), groups: 2 }],
  ["4 groups, stride 2", [1, 9, 8, 16], [3, 3, 4, 16], { stride: 2, padding: around(1), groups: 4 }],
  [
    "2 groups, a long sum, strides and dilations",
    [1, 9, 11, 264],
    [3, 3, 132, 8],
    { stride: [2, 1], padding: around(2), dilation: [2, 3], groups: 2 },
  ],
  [
    "groups, f16",
    [1, 6, 5, 16],
    [3, 3, 8, 24],
    { stride: 1, padding: around(1), groups: 2 },
    { dtype: "f16" },
  ],
  ["depthwise", [2, 7, 9, 8], [3, 3, 1, 8], { stride: 1, padding: around(1), groups: 8 }],
  ["depthwise, odd channels", [1, 6, 7, 5], [3, 2, 1, 5], { stride: 1, padding: [1, 0, 2, 1], groups: 5 }],
  ["depthwise, stride 2", [2, 9, 10, 12], [3, 3, 1, 12], { stride: 2, padding: around(1), groups: 12 }],
  [
    "depthwise, sides that differ",
    [1, 11, 13, 6],
    [2, 4, 1, 6],
    { stride: [1, 3], padding: [2, 4, 0, 3], dilation: [3, 2], groups: 6 },
  ],
  [
    "depthwise, three channels out for each",
    [1, 7, 6, 4],
    [3, 3, 1, 12],
    { stride: 1, padding: around(1), groups: 4 },
  ],
  [
    "depthwise, two channels out for each, stride 2",
    [2, 7, 8, 3],
    [3, 3, 1, 6],
    { stride: 2, padding: around(1), groups: 3 },
  ],
  [
    "depthwise, f16",
    [1, 6, 5, 8],
    [3, 3, 1, 8],
    { stride: 1, padding: around(1), groups: 8 },
    { dtype: "f16" },
  ],
  [
    "depthwise block",
    [2, 64, 64, 64],
    [3, 3, 1, 64],
    { stride: 1, padding: around(1), groups: 64 },
    { bench: true },
  ],
  [
    "ResNeXt block",
    [2, 32, 32, 128],
    [3, 3, 4, 128],
    { stride: 1, padding: around(1), groups: 32 },
    { bench: true, benchOnly: true },
  ],
];

/** The cases of one direction; `use` maps a convolution to the inputs and attributes of the kernel. */
export const groupedCases = <I extends string, A>(
  use: (convolution: LargeConvolution) => Pick<Case<I, A>, "inputs" | "attrs">,
): Case<I, A>[] =>
  sizes.map(([name, x, weight, attrs, { dtype, ...more } = {}]) => ({
    name,
    ...use(convolutionOf(x, weight, attrs, dtype)),
    ...more,
  }));
