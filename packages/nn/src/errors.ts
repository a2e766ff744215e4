/** Error classes for weights and files; messages name the tensor, the rule and the facts. */

/** A file of weights that cannot be read or written. */
export class CheckpointError extends Error {
  override readonly name = "CheckpointError";
}

/** A state dict that does not fit a module. `problems` holds every mismatch, one sentence each. */
export class StateDictError extends Error {
  override readonly name = "StateDictError";
  /** One sentence for each entry that does not fit. */
  readonly problems: readonly string[];
  /** @param problems one sentence for each entry that does not fit */
  constructor(problems: readonly string[]) {
    super(
      `The state dict does not fit the module (${problems.length} problem${problems.length === 1 ? "" : "s"}):\n` +
        problems.map((problem) => `  ${problem}`).join("\n"),
    );
    this.problems = problems;
  }
}
