/** Records which kernel calls run. */
import { UsageError } from "../errors.ts";
import { callKey, type ProgramCall } from "../program/program.ts";

/** Distinct calls by their keys. */
export type Calls = ReadonlyMap<string, ProgramCall>;

let collecting: Map<string, ProgramCall> | undefined;

/** Called by every run of a plan. */
export function noteCalls(calls: readonly ProgramCall[]): void {
  if (collecting) for (const call of calls) collecting.set(callKey(call), call);
}

/** The calls of everything that is evaluated while `fn` runs. */
export async function collectCalls(fn: () => Promise<unknown>): Promise<Calls> {
  if (collecting) throw new UsageError("tune: another call of tune is watching what runs; await it first.");
  const calls = new Map<string, ProgramCall>();
  collecting = calls;
  try {
    await fn();
  } finally {
    collecting = undefined;
  }
  return calls;
}
