/** The order of elements as whole numbers: what `argmax`, `argmin` and `sort` compare. */
import { type DType, storageType } from "../spec.ts";

/** The type by which a shader reads elements of `dtype`: raw 32 bits, so that NaN and subnormals stay intact. */
export const bitsType = (dtype: DType): "f16" | "u32" => (storageType(dtype) === "f16" ? "f16" : "u32");

/**
 * WGSL of `orderOf(x) -> u32`, which rises with the value of an element read as {@link bitsType} says. −0 and 0 are equal, and NaN is the
 * largest of all.
 */
export function orderFunction(dtype: DType): string {
  if (dtype === "u32" || dtype === "bool")
    return /* wgsl */ `
fn orderOf(x: u32) -> u32 { return x; }
`;
  if (dtype === "i32")
    return /* wgsl */ `
fn orderOf(x: u32) -> u32 { return x ^ 0x80000000u; }
`;
  return /* wgsl */ `
fn orderOf(x: ${bitsType(dtype)}) -> u32 {
  let bits = ${dtype === "f16" ? "bitcast<u32>(f32(x))" : "x"};
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) { return 0xffffffffu; }
  if (size == 0u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, bits > 0x80000000u);
}
`;
}

/** Whether `a` comes before `b` in rising order, as a number that is negative, zero or positive; NaN is the largest. */
export function compareValues(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : a > b ? 1 : 0;
}
