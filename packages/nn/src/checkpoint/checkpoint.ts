/** What every format of files is read into. */
import type { StateEntry } from "../stateDict.ts";

/** The arrays of a file with the texts of its header. */
export class Checkpoint extends Map<string, StateEntry> {
  readonly metadata: Readonly<Record<string, string>>;
  constructor(entries: Iterable<readonly [string, StateEntry]>, metadata: Readonly<Record<string, string>>) {
    super(entries);
    this.metadata = metadata;
  }
}
