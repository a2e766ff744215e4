/** The environment variable `DDAD_DEBUG`: 1 prints each new plan, 2 also the time of every evaluation, 3 also the shaders. */
import { environment } from "./device/adapter.ts";

/** Prints to standard error when `DDAD_DEBUG` is at least `level`. The text is made only then. */
export function debug(level: 1 | 2 | 3, text: () => string): void {
  if (Number(environment("DDAD_DEBUG") ?? 0) >= level) console.error(text());
}
