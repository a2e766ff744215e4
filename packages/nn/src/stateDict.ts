/** Named arrays on the host, with PyTorch's names and layouts: what checkpoints hold and modules load. */

import { checkKind } from "./arguments.ts";

/** Element types that a checkpoint may hold; "other" for all whose elements are not read. */
export type StateType =
  | "f64"
  | "f32"
  | "f16"
  | "bf16"
  | "f8e4m3"
  | "f8e5m2"
  | "i64"
  | "i32"
  | "i16"
  | "i8"
  | "u64"
  | "u32"
  | "u16"
  | "u8"
  | "bool"
  | "other";

/** Elements on the host. Floats of 16 and 8 bits are widened to Float32Array (exact); bool is 0 or 1 in a Uint8Array. */
export type StateData =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | BigUint64Array
  | Uint32Array
  | Uint16Array
  | Uint8Array;

/** One array: `data` in C order, as many elements as `shape` says. */
export interface StateEntry {
  /** Extents of the axes, outermost first, in PyTorch's order. */
  readonly shape: readonly number[];
  /** Type of the elements in the file. */
  readonly dtype: StateType;
  /**
   * The elements; floats of 16 and 8 bits as f32. Checkpoints of large files read them when this is first used. Throws
   * CheckpointError where the elements cannot be read (`dtype` "other").
   */
  readonly data: StateData;
}

/** Name → array, in the order of the module's properties. */
export type StateDict = Map<string, StateEntry>;

/** Number of elements of a shape; 1 for a scalar. */
export const elements = (shape: readonly number[]): number =>
  shape.reduce((count, extent) => count * extent, 1);

export const isFloat = (dtype: StateType): boolean => dtype.startsWith("f") || dtype === "bf16";

/**
 * How a parameter is kept here and what PyTorch keeps. Both are three extents, kernel positions K, inputs I, outputs O,
 * in the order (K, I, O) here and (O, I, K) there:
 *
 * | layout | here | PyTorch |
 * |---|---|---|
 * | `conv2d` | [KH, KW, I, O] or [K, I, O] | [O, I, KH, KW] or [O, I, K] |
 * | `linear` | [I, O] | [O, I] |
 * | `conv1d` | [I, O] (kernel size 1) | [O, I, 1] |
 * | `plain` | as it is | the same |
 */
export type Layout = "conv2d" | "linear" | "conv1d" | "plain";

/** PyTorch's shape of a parameter whose shape here is `shape`. */
export function torchShape(layout: Layout, shape: readonly number[]): number[] {
  if (layout === "plain") return [...shape];
  const [outputs, inputs, ...kernel] = [...shape].reverse() as [number, number, ...number[]];
  return [outputs, inputs, ...(layout === "conv1d" ? [1] : kernel.reverse())];
}

/** Elements in PyTorch's order, from the order here. */
export function toTorch<T extends Float32Array | Int32Array | Uint32Array>(
  layout: Layout,
  shape: readonly number[],
  values: T,
): T {
  return layout === "plain" ? values : swapOuter(values, ...extents(shape));
}

/** Elements in the order here, from PyTorch's; `shape` is the shape here. */
export function fromTorch<T extends Float32Array | Int32Array | Uint32Array>(
  layout: Layout,
  shape: readonly number[],
  values: T,
): T {
  if (layout === "plain") return values;
  const [kernel, inputs, outputs] = extents(shape);
  return swapOuter(values, outputs, inputs, kernel);
}

/** (K, I, O) of a shape here. */
function extents(shape: readonly number[]): [number, number, number] {
  const [inputs, outputs] = shape.slice(-2) as [number, number];
  return [elements(shape.slice(0, -2)), inputs, outputs];
}

/** [a, b, c] → [c, b, a] */
function swapOuter<T extends Float32Array | Int32Array | Uint32Array>(
  values: T,
  a: number,
  b: number,
  c: number,
): T {
  const swapped = new (values.constructor as new (length: number) => T)(values.length);
  let to = 0;
  for (let k = 0; k < c; k++) {
    for (let j = 0; j < b; j++) {
      for (let i = 0; i < a; i++) swapped[to++] = values[(i * b + j) * c + k]!;
    }
  }
  return swapped;
}

/** Throws UsageError unless `dict` maps names to arrays. */
export function checkStateDict(op: string, dict: unknown): void {
  const kind = "a Map from names to arrays, as stateDict() and readCheckpoint give it";
  checkKind(op, "the state dict", dict, dict instanceof Map, kind);
  for (const [name, entry] of dict as ReadonlyMap<unknown, StateEntry | undefined>) {
    const isEntry = Array.isArray(entry?.shape) && hasData(entry) && !!entry.dtype;
    checkKind(
      op,
      `"${name}" of the state dict`,
      entry,
      isEntry,
      "{ shape, dtype, data }, the data a typed array",
    );
  }
}

/** Whether there is an array, or a getter that reads one, which is not called here: nobody may need it. */
const hasData = (entry: StateEntry): boolean =>
  Object.getOwnPropertyDescriptor(entry, "data")?.get !== undefined || ArrayBuffer.isView(entry.data);

/** Drops the prefix `module.` that PyTorch's DataParallel leaves, where every name has it. */
export function withoutModulePrefix(dict: ReadonlyMap<string, StateEntry>): ReadonlyMap<string, StateEntry> {
  const prefix = "module.";
  if (dict.size === 0 || ![...dict.keys()].every((name) => name.startsWith(prefix))) return dict;
  return new Map([...dict].map(([name, entry]) => [name.slice(prefix.length), entry]));
}
