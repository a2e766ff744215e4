import { iota as kernel } from "@ddad/kernels-wgsl";
import { record } from "../record.ts";
import type { Tensor } from "../tensor.ts";

/** 0, 1, … count − 1 as i32, made where it is needed: nothing is uploaded. */
export function iota(count: number): Tensor<"i32"> {
  const out: Record<"y", Tensor<"i32">> = record(kernel, {}, { count });
  return out.y;
}
