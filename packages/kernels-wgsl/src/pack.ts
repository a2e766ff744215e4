/** Between JavaScript numbers and the bytes of a tensor's elements. */
import type { DType, Float } from "./spec.ts";

const scratch = new DataView(new ArrayBuffer(4));

/** The float16 nearest to `value` (ties to even), as its 16 bits. */
export function toF16(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal: the value in units of 2^-24, rounded to even.
    const units = Math.abs(value) * 2 ** 24;
    const floor = Math.floor(units);
    const rest = units - floor;
    return sign | (floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0));
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

/** The number that 16 bits of float16 stand for. */
export function fromF16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Typed array that holds the stored elements of each type (float16 as its bits). */
export type StoredArray = Float32Array | Uint16Array | Int32Array | Uint32Array;

/** Elements as stored; the length is padded so that the bytes are a multiple of 4. */
export function pack(values: ArrayLike<number | boolean>, dtype: DType): StoredArray {
  const n = values.length;
  if (dtype === "f16") {
    const out = new Uint16Array(n + (n % 2));
    for (let i = 0; i < n; i++) out[i] = toF16(Number(values[i]));
    return out;
  }
  const out =
    dtype === "f32" ? new Float32Array(n) : dtype === "i32" ? new Int32Array(n) : new Uint32Array(n);
  if (ArrayBuffer.isView(values)) out.set(values as unknown as ArrayLike<number>);
  else for (let i = 0; i < n; i++) out[i] = Number(values[i]);
  if (dtype === "bool") for (let i = 0; i < n; i++) out[i] = out[i] ? 1 : 0;
  return out;
}

/** Host representation of each type: float32 for both float types, and 0 or 1 for bool. */
export type DataOf<D extends DType> = D extends Float
  ? Float32Array<ArrayBuffer>
  : D extends "i32"
    ? Int32Array<ArrayBuffer>
    : Uint32Array<ArrayBuffer>;

/** The arrays that a tensor's `data()` can return. */
export type TensorData = DataOf<DType>;

/** Elements from stored bytes. The result is a copy of its own. */
export function unpack(bytes: ArrayBuffer, dtype: DType, count: number): TensorData {
  if (dtype === "f16")
    return Float32Array.from(new Uint16Array(bytes, 0, count), fromF16) as Float32Array<ArrayBuffer>;
  if (dtype === "f32") return new Float32Array(bytes.slice(0, 4 * count));
  return dtype === "i32"
    ? new Int32Array(bytes.slice(0, 4 * count))
    : new Uint32Array(bytes.slice(0, 4 * count));
}

/** The whole numbers that the integer types hold. */
const ranges = { i32: [-(2 ** 31), 2 ** 31 - 1], u32: [0, 2 ** 32 - 1], bool: [0, 1] } as const;

/** Why the type cannot hold the number, as the end of a sentence that begins with it; undefined where it can. */
export function dtypeProblem(value: number, dtype: DType): string | undefined {
  if (dtype === "f32" || dtype === "f16") {
    const rounded = Math.fround(value);
    if (Number.isFinite(value) && !Number.isFinite(rounded))
      return `${value} does not fit into f32, which ends at 3.4e38`;
    return undefined;
  }
  const [least, most] = ranges[dtype];
  if (Number.isInteger(value) && value >= least && value <= most) return undefined;
  return `${value} does not fit into ${dtype}, which holds whole numbers from ${least} to ${most}`;
}
