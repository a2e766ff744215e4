/** The fastest measured variant of each kernel call on one adapter. */
export class Tuning {
  readonly #choices = new Map<string, string>();
  #generation = 0;

  /** Name of the variant to take, by `callKey`. */
  get choices(): ReadonlyMap<string, string> {
    return this.#choices;
  }

  /** Rises with each change: plans made under another generation are made anew at their next use. */
  get generation(): number {
    return this.#generation;
  }

  /** Adds choices; of two for one call the later counts. */
  remember(choices: Iterable<readonly [key: string, variant: string]>): void {
    for (const [key, variant] of choices) this.#choices.set(key, variant);
    this.#generation++;
  }

  /** Returns to the heuristic's variants, until choices are loaded or measured again. */
  forget(): void {
    this.#choices.clear();
    this.#generation++;
  }
}
