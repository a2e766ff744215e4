/** What every format of files is read into. */
import { checkIterable, checkKind } from "../arguments.ts";
import type { StateEntry } from "../stateDict.ts";
import type { UnreadableTensor } from "./entry.ts";

/** The arrays of a file with the texts of its header. */
export class Checkpoint extends Map<string, StateEntry> {
  /** Texts from the file's header; empty where the format has none. */
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * The entries whose elements cannot be read, such as complex numbers: their `dtype` is "other", and the first use of their
   * `data` throws a CheckpointError that names them.
   */
  readonly unreadable: readonly UnreadableTensor[];
  /**
   * @param entries name and array of each weight
   * @param metadata texts from the file's header
   * @param unreadable the entries among them whose elements cannot be read
   */
  constructor(
    entries: Iterable<readonly [string, StateEntry]>,
    metadata: Readonly<Record<string, string>>,
    unreadable: readonly UnreadableTensor[] = [],
  ) {
    checkIterable("Checkpoint", "the entries", entries);
    const pairs = [...entries];
    checkKind(
      "Checkpoint",
      "the entries",
      entries,
      pairs.every(Array.isArray),
      "pairs of a name and an array",
    );
    super(pairs);
    this.metadata = metadata;
    this.unreadable = unreadable;
  }
}
