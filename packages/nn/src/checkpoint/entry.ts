/** Entries of a checkpoint: read at once, read when they are needed, or listed only. */
import { CheckpointError } from "../errors.ts";
import type { StateData, StateEntry } from "../stateDict.ts";
import type { ByteSource } from "./byteSource.ts";
import type { ReadableType } from "./formats.ts";

/** A tensor of a file whose elements cannot be read. */
export interface UnreadableTensor {
  /** Its name in the file. */
  readonly name: string;
  /** Its element type or kind, as the file calls it. */
  readonly type: string;
  /** Extents of the axes, as in the file. */
  readonly shape: readonly number[];
}

/** The entry of a tensor. From memory it is read at once; from a file when `data` is first used, and then kept. */
export function readableEntry(
  source: ByteSource,
  shape: readonly number[],
  dtype: ReadableType,
  read: () => StateData,
): StateEntry {
  if (source.inMemory) return { shape, dtype, data: read() };
  let data: StateData | undefined;
  return {
    shape,
    dtype,
    get data() {
      data ??= read();
      return data;
    },
  };
}

/** The entry of a tensor that cannot be read: whoever needs its elements gets a CheckpointError with `sentence`. */
export const unreadableEntry = (shape: readonly number[], sentence: string): StateEntry => ({
  shape,
  dtype: "other",
  get data(): StateData {
    throw new CheckpointError(sentence);
  },
});
