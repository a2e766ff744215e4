/** Ctrl-C in work that saves what it has and can be gone on with. */
import { say } from "./terminal.ts";

/** Until it is disposed of, Ctrl-C is a request to stop. */
export type Interrupt = Disposable & { readonly signal: AbortSignal };

/** Asked once, work stops at the next good place, which `signal` tells it to; asked twice, the process ends with exit code 130. */
export function stopOnInterrupt(): Interrupt {
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(130);
    say("\nstopping after this step and saving; press Ctrl-C again to stop at once");
    stop.abort();
  };
  process.on("SIGINT", onSignal);
  return {
    signal: stop.signal,
    [Symbol.dispose]() {
      process.off("SIGINT", onSignal);
    },
  };
}
