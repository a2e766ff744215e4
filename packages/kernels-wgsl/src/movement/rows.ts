/** What `gather` and `scatterAdd` ask of an index. */
import { check } from "../errors.ts";
import { show, type TensorSpec } from "../spec.ts";

/** Throws unless `index` is a list of whole numbers. */
export function checkIndex(op: string, index: TensorSpec): void {
  check(
    (index.dtype === "i32" || index.dtype === "u32") && index.shape.length === 1,
    op,
    `index must be i32 or u32 with one axis but is ${index.dtype} ${show(index.shape)}.`,
  );
}
