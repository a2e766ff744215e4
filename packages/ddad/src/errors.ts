/** Errors caused by user input. */

/** A folder, file or image that cannot be used. The message is one sentence that names it and says what to do. */
export class DataError extends Error {
  override name = "DataError";
}

/** A configuration that cannot be used. `problems` holds every problem found, one sentence each. */
export class ConfigError extends Error {
  override name = "ConfigError";
  /** Every problem found, one sentence each. */
  readonly problems: readonly string[];

  /** @param problems sentences; the message has one on each line */
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** A training whose loss or weights are NaN or infinite; a lower learning rate cures it. What was saved before stays as it is. */
export class DivergedError extends RangeError {
  override name = "DivergedError";
}

/** A budget of memory that nothing fits into. */
export class MemoryBudgetError extends ConfigError {
  override name = "MemoryBudgetError";
  /** Bytes that are allowed. */
  readonly budget: number;
  /** Bytes of the least that would do. */
  readonly needed: number;

  /** @param sentence the message: what does not fit, and what to change */
  constructor(sentence: string, { budget, needed }: { readonly budget: number; readonly needed: number }) {
    super([sentence]);
    this.budget = budget;
    this.needed = needed;
  }
}
