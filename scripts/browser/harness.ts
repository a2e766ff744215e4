/** What a page reports to the script that drives the browser (`scripts/test-browser.mjs`). */
export interface Result {
  name: string;
  /** The error's text, or undefined when the check passed. */
  failure: string | undefined;
  milliseconds: number;
}

declare global {
  interface Window {
    results: Result[];
    finished: boolean;
  }
}

window.results = [];
window.finished = false;

/** Runs one check and records how it went; a failed check does not stop the ones after it. */
export async function check(name: string, body: () => void | Promise<void>): Promise<void> {
  const started = performance.now();
  let failure: string | undefined;
  try {
    await body();
  } catch (error) {
    failure = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  window.results.push({ name, failure, milliseconds: performance.now() - started });
}

/** Says that no more checks follow. */
export function finish(): void {
  window.finished = true;
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
