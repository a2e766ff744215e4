/** What a PyTorch file's pickle is made of, once it is read: plain containers, descriptions of tensors, and opaque values. */
import { CheckpointError } from "../../errors.ts";
import type { StateType } from "../../stateDict.ts";
import type { ReadableType } from "../formats.ts";
import { plain, quoted } from "../words.ts";

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
  | UnreadableRecord
  | Opaque
  | Named;

/** A run of elements that tensors are views of. */
export class StorageRecord {
  /** Its name among the storages of the file. */
  readonly key: string;
  /** Undefined where only the tensor says the type: `length` then counts bytes. "other" for types that are not read. */
  readonly dtype: StateType | undefined;
  /** Elements. */
  readonly length: number;
  /** PyTorch's name of its class. */
  readonly type: string;
  /** The elements that an old file takes of it, where it says so. */
  readonly view: { readonly start: number; readonly length: number } | undefined;
  /** Elements of what is stored under `key` before the first of these. */
  readonly start: number;

  constructor(
    key: string,
    dtype: StateType | undefined,
    length: number,
    type: string,
    view?: StorageRecord["view"],
    start = 0,
  ) {
    this.key = key;
    this.dtype = dtype;
    this.length = length;
    this.type = type;
    this.view = view;
    this.start = start;
  }
}

/** A tensor before its elements are read: a window of a storage. */
export class TensorRecord {
  readonly storage: StorageRecord;
  readonly dtype: ReadableType;
  /** Elements of the storage before the first one of the tensor. */
  readonly offset: number;
  readonly shape: readonly number[];
  /** Elements of the storage from one index to the next, for each extent. */
  readonly strides: readonly number[];

  constructor(
    storage: StorageRecord,
    dtype: ReadableType,
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

/** A tensor whose elements are not read: complex, quantised, sparse, … */
export class UnreadableRecord {
  /** PyTorch's name of its element type, or of what makes it. */
  readonly type: string;
  readonly shape: readonly number[];
  /** A sentence's end: what it is, and the cure. */
  readonly reason: string;

  constructor(type: string, shape: readonly number[], reason: string) {
    this.type = type;
    this.shape = shape;
    this.reason = reason;
  }
}

/** A value of a class that this library does not know. Nothing of it is kept but the name of its class. */
export class Opaque {
  readonly type: string;

  constructor(type: string) {
    this.type = type;
  }
}

/**
 * A Python name that a file contains. It is looked up in a table of this library and stands for nothing else; what it
 * `makes` from arguments, where it can be called, is a value of the above. A name that is not in the table makes opaque
 * values only.
 */
export class Named {
  readonly name: string;
  readonly make: ((args: readonly PickleValue[]) => PickleValue) | undefined;
  /** The element type that it names, for storages and dtypes; "untyped" where a storage has none. */
  readonly dtype: ReadableType | "untyped" | undefined;
  /** Whether it is in the table. */
  readonly isKnown: boolean;

  constructor(name: string, make?: Named["make"], dtype?: ReadableType | "untyped", isKnown = true) {
    this.name = name;
    this.make = make;
    this.dtype = dtype;
    this.isKnown = isKnown;
  }
}

export function refuse(sentence: string): never {
  throw new CheckpointError(`PyTorch: ${sentence}`);
}

/** `value` in a few words, for a sentence. */
export function describe(value: PickleValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "None";
  if (typeof value === "string") return quoted(value);
  if (typeof value !== "object") return plain(String(value));
  if (value instanceof Map) return "a dict";
  if (value instanceof Set) return "a set";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof StorageRecord) return "a storage";
  if (value instanceof TensorRecord || value instanceof UnreadableRecord) return "a tensor";
  if (value instanceof Opaque) return `an object of ${value.type}`;
  return value instanceof Named ? value.name : "a list or tuple";
}
