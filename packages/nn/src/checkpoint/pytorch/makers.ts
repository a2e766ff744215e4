/** What the known names of a pickle make from their arguments: plain containers and descriptions of tensors. */
import { plain } from "../words.ts";
import {
  describe,
  Named,
  Opaque,
  type PickleValue,
  refuse,
  StorageRecord,
  TensorRecord,
  UnreadableRecord,
} from "./values.ts";

/** Makes a value from arguments. */
export type Maker = (args: readonly PickleValue[]) => PickleValue;

/** A dict from nothing, another dict, or pairs. */
export function makeDict([from = []]: readonly PickleValue[]): PickleValue {
  if (from instanceof Map) return from;
  if (!Array.isArray(from) || !from.every((pair) => Array.isArray(pair) && pair.length === 2)) {
    refuse(`its pickle is damaged: it makes a dict from ${describe(from)}.`);
  }
  return new Map(from as [PickleValue, PickleValue][]);
}

/** A list from an iterable, such as a deque; the others of its arguments are limits. */
export function makeList([from = []]: readonly PickleValue[]): PickleValue {
  if (!Array.isArray(from)) refuse(`its pickle is damaged: it makes a list from ${describe(from)}.`);
  return [...from];
}

export function makeSet([from = []]: readonly PickleValue[]): PickleValue {
  if (!Array.isArray(from)) refuse(`its pickle is damaged: it makes a set from ${describe(from)}.`);
  return new Set(from);
}

/** torch.Size(extents) */
export function makeSize([extents]: readonly PickleValue[]): PickleValue {
  return counts(extents, "a size");
}

/** _rebuild_tensor(storage, offset, shape, strides), and _v2 with (…, requires_grad, hooks, metadata). */
export function makeTensor(args: readonly PickleValue[]): PickleValue {
  const [storage, offset, shape, strides, , , metadata] = args;
  if (!(storage instanceof StorageRecord) || storage.dtype === undefined) {
    refuse(`its pickle is damaged: a tensor is made from ${describe(storage)}.`);
  }
  return window(storage, storage.dtype, storage.type, { offset, shape, strides, metadata });
}

/** _rebuild_tensor_v3(storage, offset, shape, strides, requires_grad, hooks, dtype, metadata) */
export function makeTypedTensor(args: readonly PickleValue[]): PickleValue {
  const [storage, offset, shape, strides, , , dtype, metadata] = args;
  if (!(storage instanceof StorageRecord && dtype instanceof Named) || dtype.dtype === "untyped") {
    refuse(`its pickle is damaged: a tensor is made from ${describe(storage)} as ${describe(dtype)}.`);
  }
  return window(storage, dtype.dtype ?? "other", dtype.name, { offset, shape, strides, metadata });
}

/** _rebuild_qtensor(storage, offset, shape, …) */
export const makeQuantised = ([storage, , shape]: readonly PickleValue[]): PickleValue =>
  unreadable(storage instanceof StorageRecord ? storage.type : describe(storage), shape);

/** _rebuild_sparse_tensor(layout, (indices, values, shape)) and its like. */
export const makeSparse = ([layout, parts]: readonly PickleValue[]): PickleValue =>
  unreadable(describe(layout), Array.isArray(parts) ? parts.findLast(Array.isArray) : undefined);

/** _rebuild_meta_tensor_no_storage(dtype, shape, …) */
export const makeMeta = ([, shape]: readonly PickleValue[]): PickleValue =>
  unreadable("torch._utils._rebuild_meta_tensor_no_storage", shape);

/** Why tensors of a type are not read, and the cure, by the names that torch.save uses. */
const reasons: readonly (readonly [RegExp, string])[] = [
  [/complex/i, "complex numbers, which are not read. In Python, save torch.view_as_real(tensor)"],
  [
    /\.Q\w+Storage$|^torch\.q\w+\d/,
    "a quantised tensor, which is not read. In Python, save tensor.dequantize()",
  ],
  [/^torch\.sparse/, "a sparse tensor, which is not read. In Python, save tensor.to_dense()"],
  [/_rebuild_meta_tensor/, "a tensor of the meta device, which has no elements"],
  [/^conj|^neg/, "a lazy view, which is not read. In Python, save tensor.resolve_conj().resolve_neg()"],
];

function unreadable(type: string, shape: PickleValue | undefined): UnreadableRecord {
  const reason = reasons.find(([pattern]) => pattern.test(type))?.[1];
  return new UnreadableRecord(
    plain(type),
    counts(shape, "a shape"),
    reason ?? "an element type that is not read. In Python, save tensor.float()",
  );
}

interface Window {
  readonly offset: PickleValue | undefined;
  readonly shape: PickleValue | undefined;
  readonly strides: PickleValue | undefined;
  readonly metadata: PickleValue | undefined;
}

function window(
  storage: StorageRecord,
  dtype: TensorRecord["dtype"] | "other",
  type: string,
  { offset, shape, strides, metadata }: Window,
): PickleValue {
  const [start] = counts([offset ?? null], "an offset");
  const extents = counts(shape, "a shape");
  const steps = counts(strides, "strides");
  if (extents.length !== steps.length || extents.length > 64) {
    refuse(`its pickle is damaged: a tensor has ${extents.length} extents and ${steps.length} strides.`);
  }
  // Views that are conjugate or negative only when they are read.
  const lazy = metadata instanceof Map && ["conj", "neg"].find((key) => metadata.get(key) === true);
  if (lazy) return unreadable(lazy, extents);
  if (dtype === "other") return unreadable(type, extents);
  return new TensorRecord(storage, dtype, start!, extents, steps);
}

/** Whole numbers, 0 or more; throws for anything else. */
export function counts(values: PickleValue | undefined, what: string): number[] {
  if (!Array.isArray(values) || !values.every((value) => Number.isSafeInteger(value) && Number(value) >= 0)) {
    refuse(`its pickle is damaged: ${what} must be whole numbers, 0 or more.`);
  }
  return values as number[];
}

/** _rebuild_parameter(tensor, …): the tensor itself. */
export function makeParameter([tensor]: readonly PickleValue[]): PickleValue {
  if (!(tensor instanceof TensorRecord || tensor instanceof UnreadableRecord)) {
    refuse(`its pickle is damaged: a parameter is ${describe(tensor)}.`);
  }
  return tensor;
}

/** _rebuild_from_type_v2(how, class, arguments, attributes): a tensor to which attributes were added. */
export function makeFromType([how, type, args]: readonly PickleValue[]): PickleValue {
  if (!(how instanceof Named) || how.make === makeFromType || !Array.isArray(args)) {
    refuse(`its pickle is damaged: a tensor is made by ${describe(how)}.`);
  }
  return how.make?.(args) ?? new Opaque(describe(type));
}

/** encode(text, "latin1"): how protocol 2 writes bytes. Nothing here needs them as bytes. */
export function makeBytes([text = ""]: readonly PickleValue[]): PickleValue {
  if (typeof text === "string" || text instanceof Uint8Array) return text;
  return refuse(`its pickle is damaged: bytes are ${describe(text)}.`);
}
