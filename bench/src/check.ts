/** Checks a variant's results: a fast wrong kernel is worth nothing. */
import type { Call } from "@ddad/kernels-wgsl";

export type Outputs = ReadonlyMap<string, ArrayLike<number>>;

/**
 * Throws unless every element of `got` is within `tolerance` × the largest |expected| of `expected` (integers: equal;
 * float16: at least 1e-3, its own resolution).
 */
export function checkOutputs(
  label: string,
  call: Call,
  got: Outputs,
  expected: Outputs,
  tolerance: number,
): void {
  for (const [name, { dtype }] of Object.entries(call.outputs)) {
    const [a, b] = [got.get(name)!, expected.get(name)!];
    const relative = dtype === "f32" ? tolerance : dtype === "f16" ? Math.max(tolerance, 1e-3) : 0;
    const allowed = relative * largest(b);
    for (let index = 0; index < b.length; index++) {
      if (Object.is(a[index], b[index]) || Math.abs(a[index]! - b[index]!) <= allowed) continue;
      throw new Error(
        `${label} is wrong: ${name}[${index}] is ${a[index]}, but ${b[index]} ± ${allowed} was expected.`,
      );
    }
  }
}

function largest(values: ArrayLike<number>): number {
  let result = 0;
  for (let index = 0; index < values.length; index++) {
    const magnitude = Math.abs(values[index]!);
    if (Number.isFinite(magnitude) && magnitude > result) result = magnitude;
  }
  return result;
}
