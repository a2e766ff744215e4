/** The kernels of the library: one export line each. `kernels` is what tests, benchmarks and docs loop over. */

import { conv2d } from "./conv2d/conv2d.ts";
import { conv2dInputGradient } from "./conv2d/conv2dInputGradient.ts";
import { conv2dWeightGradient } from "./conv2d/conv2dWeightGradient.ts";
import { elementwise } from "./elementwise/elementwise.ts";
import type { Kernel } from "./kernel.ts";
import { matmul } from "./matmul/matmul.ts";
import { sum } from "./reduce/sum.ts";

export * from "./conv2d/conv2d.ts";
export * from "./conv2d/conv2dInputGradient.ts";
export * from "./conv2d/conv2dWeightGradient.ts";
export * from "./elementwise/broadcast.ts";
export * from "./elementwise/elementwise.ts";
export * from "./elementwise/expression.ts";
export * from "./elementwise/table.ts";
export * from "./matmul/matmul.ts";
export * from "./reduce/sum.ts";

export const kernels: readonly Kernel[] = [
  conv2d,
  conv2dInputGradient,
  conv2dWeightGradient,
  matmul,
  elementwise,
  sum,
];
