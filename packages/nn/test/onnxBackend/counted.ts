/**
 * The public API of @ddad/nn as the operators here call it: every call of a function is counted, so that the number of
 * public operations that a model needs is measured and not claimed.
 */
import * as library from "@ddad/nn";

/** What only makes tensors, or changes their layout or type: ONNX is channels first and has 64-bit types, this library has not. */
const free: ReadonlySet<string> = new Set([
  "arange",
  "cast",
  "eye",
  "full",
  "ones",
  "permute",
  "reshape",
  "squeeze",
  "tensor",
  "transpose",
  "unsqueeze",
  "zeros",
]);

let calls: string[] = [];
/** Inside of `together`: the names that were called there. */
let distinct: Set<string> | undefined;

/** Calls of public operations since the last time somebody asked. */
export function takeCount(): number {
  const count = calls.length;
  calls = [];
  return count;
}

/** Counts one use of the library, by its name. */
export function countUse(name: string): void {
  if (distinct?.has(name)) return;
  distinct?.add(name);
  calls = [...calls, name];
}

/** Brings weights into the library's layout, which a user does once when loading them: nothing in there counts. */
export function loading<T>(run: () => T): T {
  const before = calls;
  try {
    return run();
  } finally {
    calls = before;
  }
}

/** One operation that is called for each operand, or for each of an optimiser's parameters, counts once. */
export function together<T>(run: () => T): T {
  distinct = new Set();
  try {
    return run();
  } finally {
    distinct = undefined;
  }
}

const counted = (name: string, value: unknown): unknown => {
  if (typeof value !== "function" || !/^[a-z]/.test(name) || free.has(name)) return value;
  return (...args: readonly unknown[]) => {
    countUse(name);
    return (value as (...given: readonly unknown[]) => unknown)(...args);
  };
};

/** The library, counted. Operators use its functions, never the methods of Tensor, whose calls nobody sees. */
export const nn = Object.fromEntries(
  Object.entries(library).map(([name, value]) => [name, counted(name, value)]),
) as unknown as typeof library;
