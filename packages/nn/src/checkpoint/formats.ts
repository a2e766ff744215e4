/** Element types of checkpoints: their little-endian memory layout and the array type here. */
import type { StateData, StateType } from "../stateDict.ts";
import { e4m3, e5m2, type Float8 } from "./float8.ts";
import { narrowBfloat16, narrowFloat16, widenBfloat16, widenFloat16 } from "./float16.ts";

/** A type whose elements are read; the others of a file are listed only. */
export type ReadableType = Exclude<StateType, "other">;

export interface Format {
  /** Bytes an element. */
  readonly bytes: number;
  /** The elements; where no conversion is needed, a view of `buffer`. */
  read(buffer: ArrayBuffer): StateData;
  /** The bytes to write, or undefined where `data` is not the array that this type is held in. */
  write(data: StateData): ArrayBufferView | undefined;
}

const as = <T extends StateData>(type: (new (buffer: ArrayBuffer) => T) & { BYTES_PER_ELEMENT: number }) => ({
  bytes: type.BYTES_PER_ELEMENT,
  read: (buffer: ArrayBuffer) => new type(buffer),
  write: (data: StateData) => (data instanceof type ? data : undefined),
});

const asFloat8 = (format: Float8): Format => ({
  bytes: 1,
  read: (buffer) => format.widen(new Uint8Array(buffer)),
  write: (data) => (data instanceof Float32Array ? format.narrow(data) : undefined),
});

export const formats: Readonly<Record<ReadableType, Format>> = {
  f64: as(Float64Array),
  f32: as(Float32Array),
  f16: {
    bytes: 2,
    read: (buffer) => widenFloat16(new Uint16Array(buffer)),
    write: (data) => (data instanceof Float32Array ? narrowFloat16(data) : undefined),
  },
  bf16: {
    bytes: 2,
    read: (buffer) => widenBfloat16(new Uint16Array(buffer)),
    write: (data) => (data instanceof Float32Array ? narrowBfloat16(data) : undefined),
  },
  f8e4m3: asFloat8(e4m3),
  f8e5m2: asFloat8(e5m2),
  i64: as(BigInt64Array),
  i32: as(Int32Array),
  i16: as(Int16Array),
  i8: as(Int8Array),
  u64: as(BigUint64Array),
  u32: as(Uint32Array),
  u16: as(Uint16Array),
  u8: as(Uint8Array),
  bool: as(Uint8Array),
};
