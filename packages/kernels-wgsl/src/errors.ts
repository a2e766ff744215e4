import { type DType, isFloat } from "./spec.ts";

/** An operation cannot take these shapes or types. The message names the op, the rule, the facts and the cure. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

/** Throws a {@link ShapeError} unless `dtype` holds fractions. */
export function checkFloat(op: string, name: string, dtype: DType): void {
  check(isFloat(dtype), op, () => `${name} must be f32 or f16 but is ${dtype}; cast it first.`);
}

/** Throws a {@link ShapeError} `op: message` unless `condition` holds. A function makes the message only where it is needed. */
export function check(condition: boolean, op: string, message: string | (() => string)): asserts condition {
  if (!condition) throw new ShapeError(`${op}: ${typeof message === "function" ? message() : message}`);
}

/** The definition of a kernel contradicts itself, or a part that is read was left out of this build. */
export class KernelError extends Error {
  override name = "KernelError";
}
