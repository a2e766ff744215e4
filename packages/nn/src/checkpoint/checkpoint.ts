/** What every format of files is read into. */
import { checkIterable, checkKind } from "../arguments.ts";
import type { StateEntry } from "../stateDict.ts";

/** The arrays of a file with the texts of its header. */
export class Checkpoint extends Map<string, StateEntry> {
  /** Texts from the file's header; empty where the format has none. */
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * @param entries name and array of each weight
   * @param metadata texts from the file's header
   */
  constructor(entries: Iterable<readonly [string, StateEntry]>, metadata: Readonly<Record<string, string>>) {
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
  }
}
