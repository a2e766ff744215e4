import { ShapeError } from "@ddad/kernels-wgsl";
import type { Tensor } from "../tensor.ts";
import { cast, equal } from "./elementwise.ts";
import type { IndexTensor } from "./gather.ts";
import { iota } from "./iota.ts";
import { unsqueeze } from "./reshape.ts";

/**
 * Ones at the places that `index` names: index [...] → f32 [..., classes]. An index outside of 0 … classes − 1 gives zeros only.
 *
 * @throws ShapeError unless `classes` is a whole number of at least 0
 */
export function oneHot(index: IndexTensor, classes: number): Tensor {
  if (!Number.isInteger(classes) || classes < 0)
    throw new ShapeError(`oneHot: classes must be a whole number of at least 0 but is ${classes}.`);
  if (index.dtype !== "i32" && index.dtype !== "u32")
    throw new ShapeError(`oneHot: index must be i32 or u32 but is ${index.dtype}; cast it first.`);
  return cast(equal(unsqueeze(cast(index, "i32"), -1), iota(classes)), "f32");
}
