/** Stands in for Dawn where there is no Node: a browser has `navigator.gpu` or nothing. */
import type { Candidate } from "./adapter.ts";

export async function loadDawn(_toggles: readonly string[]): Promise<GPU | undefined> {
  return undefined;
}

export async function loadGlobals(): Promise<unknown> {
  return undefined;
}

export async function dawnAdapters(): Promise<Candidate[]> {
  return [];
}

/** Browsers compile when a pipeline is made. */
export const compileKernels = undefined;

export function anotherDevice(): undefined {}
