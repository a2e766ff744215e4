/** Ctrl-C in work that saves what it has and can be resumed. */
import { say } from "./terminal.ts";

/** Until it is disposed of, Ctrl-C is a request to stop. */
export type Interrupt = Disposable & { readonly signal: AbortSignal };

/** The exit code of what Ctrl-C stopped, in every shell: 128 and the number of the signal. */
export const interrupted = 130;

/** What service managers and containers send is a request to stop, too. */
const requests = ["SIGINT", "SIGTERM"] as const;

/** Milliseconds within which a signal is the same one again: what starts the command, such as npx or timeout, may pass it on. */
const echo = 100;

/**
 * Asked once, work stops at the next good place, which `signal` tells it to; asked twice, the process ends at once.
 *
 * @param saving what happens after the first request, as the rest of a sentence
 */
export function stopOnInterrupt(saving = "saving the progress"): Interrupt {
  const stop = new AbortController();
  let asked = 0;
  const onSignal = (): void => {
    if (stop.signal.aborted) {
      if (performance.now() - asked > echo) endAtOnce();
      return;
    }
    asked = performance.now();
    say(`\nStopping and ${saving}. Press Ctrl-C again to stop at once.`);
    stop.abort();
  };
  for (const name of requests) process.on(name, onSignal);
  return {
    signal: stop.signal,
    [Symbol.dispose]() {
      for (const name of requests) process.off(name, onSignal);
    },
  };
}

/**
 * Ends the process as Ctrl-C does where nothing listens for it: exit code 130 in a shell. `process.exit` would destroy the device
 * first, which waits for the GPU and crashes where threads of the driver still compute.
 */
export function endAtOnce(): void {
  process.removeAllListeners("SIGINT");
  // Windows has no signals: this ends the process there as well.
  process.kill(process.pid, "SIGINT");
}

/** Seconds that a stopped command waits for the GPU, and for work that has nothing to save. */
const patience = 2;

/** What a person reads where Ctrl-C stops work. */
export type StopWords = {
  /** What happens after the first request, as the rest of a sentence: "Stopping and …". */
  readonly saving: string;
  /** What is saved, or that nothing is, and which command continues: sentences. */
  readonly stopped: () => string;
  /** Whether what the work has done will be saved, so that it is waited for however long its current step takes. Default never. */
  readonly saves?: () => boolean;
};

/**
 * Does work until it is done or Ctrl-C stops it. Work that has nothing to save and does not end soon by the signal, as where it waits for a
 * compiler, ends with the process.
 *
 * @returns undefined where it was stopped: what there is to say is said, and the exit code is set
 */
export async function untilInterrupted<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { saving, stopped, saves = () => false }: StopWords,
): Promise<T | undefined> {
  using interrupt = stopOnInterrupt(saving);
  const { signal } = interrupt;
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<"too long">((settle) => {
    const look = (): void => (saves() ? wait() : settle("too long"));
    const wait = (): void => {
      timer = setTimeout(look, patience * 1000);
    };
    signal.addEventListener("abort", wait, { once: true });
  });
  try {
    const result = await Promise.race([work(signal), tooLong]);
    if (result !== "too long") {
      if (signal.aborted) process.exitCode = interrupted;
      return result;
    }
  } catch (error) {
    // What went wrong while it was saved, such as a full disk, is no stop.
    if (error !== signal.reason) throw error;
    process.exitCode = interrupted;
    say(stopped());
    return undefined;
  } finally {
    clearTimeout(timer);
  }
  say(stopped());
  endAtOnce();
  return undefined;
}

/** Whether the GPU ends soon what it was given; true where there is no device. */
export async function deviceIsIdle(): Promise<boolean> {
  const { currentDevice } = await import("@ddad/nn");
  const done = async (): Promise<boolean> => {
    await currentDevice().gpu.queue.onSubmittedWorkDone();
    return true;
  };
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<boolean>((settle) => {
    timer = setTimeout(() => settle(false), patience * 1000);
  });
  try {
    return await Promise.race([done(), tooLong]);
  } catch {
    // There is no device, or it is lost: nothing computes.
    return true;
  } finally {
    clearTimeout(timer);
  }
}
