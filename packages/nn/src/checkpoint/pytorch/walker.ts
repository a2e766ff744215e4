/** Goes through what a pickle holds, looking for tensors and opaque values. */
import {
  describe,
  Named,
  Opaque,
  type PickleValue,
  refuse,
  TensorRecord,
  UnreadableRecord,
} from "./values.ts";

/** A value of a class that is not known. */
export interface OpaqueValue {
  /** Dotted path in the file; "" is the whole file. */
  readonly path: string;
  /** Its class, or the function that would make it, with its module: `argparse.Namespace`. */
  readonly type: string;
}

/** A tensor in a pickle. */
export type AnyRecord = TensorRecord | UnreadableRecord;

export const deepest = 64;
const mostVisits = 1_000_000;
const longestName = 4096;
const mostOpaque = 1000;

/** Keys that are no texts or numbers name nothing that anyone asks for. */
export const textOf = (key: PickleValue): string => (typeof key === "string" ? key : describe(key));

export const join = (path: string, key: PickleValue): string =>
  path === "" ? textOf(key) : `${path}.${textOf(key)}`;

/** Looks for tensors. Containers may contain themselves, or each other many times over: where weights do, a sentence says so. */
export class Walker {
  #visits = 0;
  readonly #counts = new Map<PickleValue, number>();

  /** The number of tensors in a value. What contains itself, or is nested too deep, holds none: it is no state dict. */
  count(value: PickleValue, depth = 0): number {
    if (isTensor(value)) return 1;
    if (!isContainer(value) || depth >= deepest) return 0;
    const known = this.#counts.get(value);
    if (known !== undefined) return known;
    this.#counts.set(value, 0);
    let count = 0;
    for (const item of value.values()) count += this.count(item, depth + 1);
    this.#counts.set(value, count);
    return count;
  }

  /** The tensors in a value with their dotted names. */
  *tensors(value: PickleValue, path: string, depth: number): Generator<[name: string, AnyRecord]> {
    if (++this.#visits > mostVisits) refuse(`it nests more than ${mostVisits} values in each other.`);
    if (isTensor(value)) {
      if (path.length > longestName) refuse(`the name of a tensor has more than ${longestName} characters.`);
      yield [path === "" ? "tensor" : path, value];
    } else if (isContainer(value)) {
      if (depth >= deepest) refuse(`its containers are nested more than ${deepest} deep.`);
      const items = value instanceof Map ? value : [...value].entries();
      for (const [key, item] of items) yield* this.tensors(item, join(path, key), depth + 1);
    }
  }
}

/** The first opaque values in a value. A container is looked into once, and not deeper than tensors are looked for. */
export function opaqueIn(root: PickleValue, start: string): OpaqueValue[] {
  const found: OpaqueValue[] = [];
  const seen = new Set<PickleValue>();
  const visit = (value: PickleValue, path: string, depth: number): void => {
    if (found.length >= mostOpaque) return;
    const type = opaqueType(value);
    if (type !== undefined) found.push({ path: path.slice(0, longestName), type });
    if (!isContainer(value) || depth >= deepest || seen.has(value)) return;
    seen.add(value);
    const items = value instanceof Map ? value : [...value].entries();
    for (const [key, item] of items) visit(item, join(path, key), depth + 1);
  };
  visit(root, start, 0);
  return found;
}

/** The class of an opaque value; a class or function itself is one too. */
export function opaqueType(value: PickleValue | undefined): string | undefined {
  if (value instanceof Opaque) return value.type;
  return value instanceof Named && !value.isKnown ? value.name : undefined;
}

const isTensor = (value: PickleValue): value is AnyRecord =>
  value instanceof TensorRecord || value instanceof UnreadableRecord;

type Container = Map<PickleValue, PickleValue> | PickleValue[] | Set<PickleValue>;

const isContainer = (value: PickleValue): value is Container =>
  value instanceof Map || value instanceof Set || Array.isArray(value);
