/** What a PyTorch file's pickle is made of, once it is read: plain containers, and descriptions of tensors. */
import { CheckpointError } from "../../errors.ts";
import type { StateType } from "../../stateDict.ts";

/** A value of a pickle. Lists and tuples are both arrays. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>
  | StorageRecord
  | TensorRecord
  | Named;

/** A run of elements that tensors are views of. */
export class StorageRecord {
  /** Its name among the storages of the file. */
  readonly key: string;
  /** Undefined where only the tensor says the type: `length` then counts bytes. */
  readonly dtype: StateType | undefined;
  /** Elements. */
  readonly length: number;
  /** Elements of what is stored under `key` before the first of these. */
  readonly start: number;

  constructor(key: string, dtype: StateType | undefined, length: number, start = 0) {
    this.key = key;
    this.dtype = dtype;
    this.length = length;
    this.start = start;
  }
}

/** A tensor before its elements are read: a window of a storage. */
export class TensorRecord {
  readonly storage: StorageRecord;
  readonly dtype: StateType;
  /** Elements of the storage before the first one of the tensor. */
  readonly offset: number;
  readonly shape: readonly number[];
  /** Elements of the storage from one index to the next, for each extent. */
  readonly strides: readonly number[];

  constructor(
    storage: StorageRecord,
    dtype: StateType,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
  ) {
    this.storage = storage;
    this.dtype = dtype;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

/**
 * A Python name that a file may contain. It is looked up in a table of this library and stands for nothing
 * else; what it `makes` from arguments, where it can be called, is a value of the above.
 */
export class Named {
  readonly name: string;
  readonly make: ((args: readonly PickleValue[]) => PickleValue) | undefined;
  /** The element type that it names, for storages and dtypes; "untyped" where a storage has none. */
  readonly dtype: StateType | "untyped" | undefined;

  constructor(
    name: string,
    make?: (args: readonly PickleValue[]) => PickleValue,
    dtype?: StateType | "untyped",
  ) {
    this.name = name;
    this.make = make;
    this.dtype = dtype;
  }
}

export function refuse(sentence: string): never {
  throw new CheckpointError(`PyTorch: ${sentence}`);
}

/** `value` in a few words, for a sentence. */
export function describe(value: PickleValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "None";
  if (typeof value === "string") return JSON.stringify(value.slice(0, 60));
  if (typeof value !== "object") return String(value);
  if (value instanceof Map) return "a dict";
  if (value instanceof Set) return "a set";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof StorageRecord) return "a storage";
  if (value instanceof TensorRecord) return "a tensor";
  return value instanceof Named ? value.name : "a list or tuple";
}
