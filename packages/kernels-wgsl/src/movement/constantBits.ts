/** Constants of any type as the 32 bits of a uniform, so that NaN and ±∞ are data and never the text of a shader. */
import { fromF16, pack } from "../pack.ts";
import type { DType } from "../spec.ts";

/** The bits of `value` as an element of this type; f16 takes the lower half. */
export function constantBits(value: number, dtype: DType): number {
  const stored = pack([value], dtype);
  return dtype === "f16"
    ? stored[0]!
    : new Uint32Array(stored.buffer as ArrayBuffer, stored.byteOffset, 1)[0]!;
}

/** The number that these bits stand for. */
export function numberOfBits(bits: number, dtype: DType): number {
  if (dtype === "f16") return fromF16(bits);
  if (dtype === "i32") return bits | 0;
  return dtype === "f32" ? new Float32Array(Uint32Array.of(bits).buffer)[0]! : bits;
}

/** WGSL of one stored element whose bits are the u32 expression `bits`. */
export function constantCode(bits: string, dtype: DType): string {
  if (dtype === "f16") return `bitcast<vec2<f16>>(${bits}).x`;
  return dtype === "f32" || dtype === "i32" ? `bitcast<${dtype}>(${bits})` : bits;
}
