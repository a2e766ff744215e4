/** The members of a module: variables and modules in its properties, arrays, plain objects and Maps. */
import { type AnyVariable, Variable } from "@ddad/tensor";
import type { Module } from "./module.ts";

/** A variable or a module below another, with its path of names. */
export type Member = readonly [path: string, member: AnyVariable | Module];

/** Path of what is called `name` below `path`; "" leaves a name out. */
export const below = (path: string, name: string): string =>
  path === "" || name === "" ? path + name : `${path}.${name}`;

/**
 * Variables and modules that `container` holds, in the order of its properties, without what is below those modules.
 * Arrays, plain objects and Maps are looked into, in any nesting: their indices and keys are the names, as they are.
 * A container inside itself is looked into once.
 *
 * @param isModule tells modules from other objects
 * @throws TypeError for variables or modules below a key of a Map that is neither a string nor a number
 */
export function* heldBy(
  container: unknown,
  path: string,
  isModule: (value: unknown) => value is Module,
  outer: readonly unknown[] = [],
): Generator<Member> {
  if (container instanceof Variable || isModule(container)) {
    yield [path, container];
    return;
  }
  if (outer.includes(container)) return;
  const inside = [...outer, container];
  if (container instanceof Map) {
    for (const [key, value] of container) {
      const found = heldBy(value, below(path, String(key)), isModule, inside);
      if (typeof key === "string" || typeof key === "number") yield* found;
      else refuseKey(path, found);
    }
  } else if (Array.isArray(container) || isPlain(container)) {
    for (const [key, value] of Object.entries(container)) {
      yield* heldBy(value, below(path, key), isModule, inside);
    }
  }
}

function refuseKey(path: string, found: Generator<Member>): void {
  if (found.next().done) return;
  throw new TypeError(
    `Module: the Map ${path} holds parameters or modules below a key that is neither a string nor a number. ` +
      "Use such keys, because they become names in state dicts.",
  );
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
