/**
 * The elementwise operations: one row each with its WGSL, its meaning and its derivative.
 *
 * A derivative is written in terms of the same table through an `Algebra`, so that the tensor library records it as
 * ordinary operations (and fuses them), and a test can evaluate it on plain numbers.
 */
import type { ElementwiseName, ElementwiseRow } from "./row.ts";
import { activations } from "./rows/activations.ts";
import { arithmetic } from "./rows/arithmetic.ts";
import { casts } from "./rows/casts.ts";
import { exponential } from "./rows/exponential.ts";
import { logic } from "./rows/logic.ts";

/** All elementwise operations by name. */
export const elementwiseTable: Readonly<Record<ElementwiseName, ElementwiseRow>> = {
  ...arithmetic,
  ...exponential,
  ...activations,
  ...logic,
  ...casts,
};
