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

let calls = 0;

/** Calls of public operations since the last time somebody asked. */
export function takeCount(): number {
  const count = calls;
  calls = 0;
  return count;
}

/** Counts a use that is no call of a function: a layer, or an optimiser's step. */
export function countUse(): void {
  calls++;
}

const counted = (name: string, value: unknown): unknown => {
  if (typeof value !== "function" || !/^[a-z]/.test(name) || free.has(name)) return value;
  return (...args: readonly unknown[]) => {
    calls++;
    return (value as (...given: readonly unknown[]) => unknown)(...args);
  };
};

/** The library, counted. Operators use its functions, never the methods of Tensor, whose calls nobody sees. */
export const nn = Object.fromEntries(
  Object.entries(library).map(([name, value]) => [name, counted(name, value)]),
) as unknown as typeof library;
