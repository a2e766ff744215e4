/**
 * Values that a function draws from outside its arguments at each run, such as the next key of a random generator. `recompute` runs a
 * function twice, and the second run must get what the first one got.
 */

interface Draws {
  readonly values: unknown[];
  /** Place in `values` of the next draw of the second run; undefined in the first run. */
  at: number | undefined;
}

/** Of the functions that are running, the innermost last. */
const running: Draws[] = [];

/** The value of `draw`; where a function is recomputed for its gradient, the value of the first run. */
export function drawOnce<T>(draw: () => T): T {
  const again = running.find(({ at }) => at !== undefined);
  const value = again ? (again.values[again.at!++] as T) : draw();
  for (const { values, at } of running) if (at === undefined) values.push(value);
  return value;
}

/** Whether a function is being recomputed for its gradient: its side effects must not happen twice. */
export const isRecomputing = (): boolean => running.some(({ at }) => at !== undefined);

/** Two runs of a function: the first one's draws are kept for the second, which may come several times. */
export function runTwice<T>(fn: () => T): { first: T; again: () => T } {
  const values: unknown[] = [];
  const run = (at: number | undefined): T => {
    running.push({ values, at });
    try {
      return fn();
    } finally {
      running.pop();
    }
  };
  return { first: run(undefined), again: () => run(0) };
}
