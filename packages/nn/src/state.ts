/** Variables on the device from and to arrays on the host, by name. */
import { type AnyTensor, type AnyVariable, evaluate, tensor } from "@ddad/tensor";
import { allOrNone } from "@ddad/tensor/internal";
import { StateDictError } from "./errors.ts";
import {
  checkStateDict,
  elements,
  fromTorch,
  isFloat,
  type Layout,
  type StateDict,
  type StateEntry,
  torchShape,
  toTorch,
  withoutModulePrefix,
} from "./stateDict.ts";

/** A variable, and how PyTorch would store it. */
export interface Slot {
  readonly variable: AnyVariable;
  readonly layout: Layout;
}

/** Names that did not match when a state dict was loaded without `strict`. */
export interface LoadReport {
  /** Wanted, but absent from the dict: left as they were. */
  readonly missing: string[];
  /** In the dict, but unknown: not used. */
  readonly unexpected: string[];
}

/** Reads all values back. Integers become i64, as PyTorch counts. */
export async function readState(slots: ReadonlyMap<string, Slot>): Promise<StateDict> {
  await evaluate(...[...slots.values()].map(({ variable }) => variable));
  const entries = [...slots].map(async ([name, slot]) => [name, await entryOf(slot)] as const);
  return new Map(await Promise.all(entries));
}

async function entryOf({ variable, layout }: Slot): Promise<StateEntry> {
  const shape = torchShape(layout, variable.shape);
  const values = toTorch(layout, variable.shape, await variable.data());
  return values instanceof Float32Array
    ? { shape, dtype: "f32", data: values }
    : { shape, dtype: "i64", data: BigInt64Array.from(values, BigInt) };
}

/**
 * Assigns the values of a dict (a prefix `module.` is dropped); throws StateDictError, and then assigns nothing. Where the adapter has
 * no memory for them, the next evaluation rejects with OutOfMemoryError, and all variables keep what they held.
 */
export function assignState(
  slots: ReadonlyMap<string, Slot>,
  dict: ReadonlyMap<string, StateEntry>,
  strict: boolean,
): LoadReport {
  checkStateDict("loadStateDict", dict);
  const given = withoutModulePrefix(dict);
  const missing = [...slots.keys()].filter((name) => !given.has(name));
  const unexpected = [...given.keys()].filter((name) => !slots.has(name));
  const problems = strict
    ? [
        ...missing.map((name) => `missing: "${name}" [${torchShapeOf(slots.get(name)!).join(", ")}]`),
        ...unexpected.map((name) => `unexpected: "${name}" [${given.get(name)!.shape.join(", ")}]`),
      ]
    : [];
  const matching = [...slots].filter(([name]) => given.has(name));
  for (const [name, slot] of matching) problems.push(...mismatches(name, slot, given.get(name)!));
  if (problems.length > 0) throw new StateDictError(problems);
  const values = allOrNone(() => matching.map(([name, slot]) => tensorFor(slot, given.get(name)!)));
  for (const [index, [, { variable }]] of matching.entries()) variable.assign(values[index]!);
  return { missing, unexpected };
}

const torchShapeOf = ({ layout, variable }: Slot): number[] => torchShape(layout, variable.shape);

function mismatches(name: string, slot: Slot, { shape, dtype, data }: StateEntry): string[] {
  const problems: string[] = [];
  const expected = torchShapeOf(slot).join(", ");
  if (shape.join(", ") !== expected) {
    problems.push(`shape: "${name}" is [${shape.join(", ")}] but the module has [${expected}]`);
  }
  const float = slot.variable.dtype === "f32" || slot.variable.dtype === "f16";
  if (isFloat(dtype) !== float) {
    const kind = float ? "floats" : "integers";
    problems.push(
      `dtype: "${name}" is ${dtype} but the module has ${slot.variable.dtype}, and ${kind} are loaded only from ${kind}`,
    );
  } else if (
    !float &&
    Array.from<number | bigint>(data).some((value) => Number(value) !== (Number(value) | 0))
  ) {
    problems.push(`range: "${name}" holds integers of more than 32 bits`);
  }
  if (data.length !== elements(shape)) {
    problems.push(`size: "${name}" [${shape.join(", ")}] has ${data.length} elements`);
  }
  return problems;
}

/** The entry as a tensor in the variable's own order and type. */
function tensorFor({ variable, layout }: Slot, { data }: StateEntry): AnyTensor {
  const { shape, dtype } = variable;
  if (dtype === "f32" || dtype === "f16") {
    const floats = data instanceof Float32Array ? data : Float32Array.from(data as ArrayLike<number>);
    return tensor(fromTorch(layout, shape, floats), shape, { dtype });
  }
  const integers = Array.from<number | bigint>(data);
  return tensor(Int32Array.from(integers, Number), shape, { dtype });
}
