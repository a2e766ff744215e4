/**
 * The names of Python's that a checkpoint may hold, and what they stand for here. The known ones describe tensors and plain
 * containers. Every other name is opaque: it is kept as a text, and whatever a file makes with it is an opaque value.
 */

import { formats, type ReadableType } from "../formats.ts";
import { plain } from "../words.ts";
import {
  counts,
  type Maker,
  makeBytes,
  makeDict,
  makeFromType,
  makeList,
  makeMeta,
  makeParameter,
  makeQuantised,
  makeSet,
  makeSize,
  makeSparse,
  makeTensor,
  makeTypedTensor,
} from "./makers.ts";
import { describe, Named, Opaque, type PickleValue, refuse, StorageRecord } from "./values.ts";

/** What `module.name` stands for. */
export function named(module: string, name: string): Named {
  return table.get(`${module}.${name}`) ?? new Named(plain(`${module}.${name}`), undefined, undefined, false);
}

/** Functions that make an object of the class that is their first argument. */
const constructors =
  /^(copyreg|copy_reg)\.(_reconstructor|__newobj__|__newobj_ex__)$|^numpy\.\w+\.multiarray\._reconstruct$/;

/** Functions of NumPy's and the classes of what they make. */
const numpyClasses: readonly (readonly [RegExp, string])[] = [
  [/^numpy\.\w+\.multiarray\.scalar$/, "numpy.generic"],
  [/^numpy\.\w+\.numeric\._frombuffer$/, "numpy.ndarray"],
];

/** The opaque value that stands for what `made` would return, of which nothing is executed. */
export function opaqueValue(made: Named | Opaque, args: readonly PickleValue[]): Opaque {
  if (made instanceof Opaque) return made;
  const [type] = args;
  if (constructors.test(made.name) && type instanceof Named) return new Opaque(type.name);
  return new Opaque(numpyClasses.find(([pattern]) => pattern.test(made.name))?.[1] ?? made.name);
}

/** Element types by their dtype in PyTorch, and by the class of their storage where they have one. */
const types: readonly (readonly [dtype: string, type: ReadableType, storage?: string])[] = [
  ["float64", "f64", "DoubleStorage"],
  ["float32", "f32", "FloatStorage"],
  ["float16", "f16", "HalfStorage"],
  ["bfloat16", "bf16", "BFloat16Storage"],
  ["float8_e4m3fn", "f8e4m3"],
  ["float8_e5m2", "f8e5m2"],
  ["int64", "i64", "LongStorage"],
  ["int32", "i32", "IntStorage"],
  ["int16", "i16", "ShortStorage"],
  ["int8", "i8", "CharStorage"],
  ["uint64", "u64"],
  ["uint32", "u32"],
  ["uint16", "u16"],
  ["uint8", "u8", "ByteStorage"],
  ["bool", "bool", "BoolStorage"],
];

/** Bytes an element of the storages whose elements are not read. */
const otherStorages: Readonly<Record<string, number>> = {
  "torch.ComplexHalfStorage": 4,
  "torch.ComplexFloatStorage": 8,
  "torch.ComplexDoubleStorage": 16,
  "torch.QInt8Storage": 1,
  "torch.QUInt8Storage": 1,
  "torch.QInt32Storage": 4,
};

const makers: Readonly<Record<string, Maker>> = {
  "collections.OrderedDict": makeDict,
  "collections.Counter": makeDict,
  "collections.deque": makeList,
  "torch.Size": makeSize,
  "torch.device": ([type]) => describe(type), // where a tensor was; nothing here needs it
  "torch._utils._rebuild_tensor": makeTensor,
  "torch._utils._rebuild_tensor_v2": makeTensor,
  "torch._utils._rebuild_tensor_v3": makeTypedTensor,
  "torch._utils._rebuild_qtensor": makeQuantised,
  "torch._utils._rebuild_sparse_tensor": makeSparse,
  "torch._utils._rebuild_sparse_csr_tensor": makeSparse,
  "torch._utils._rebuild_meta_tensor_no_storage": makeMeta,
  "torch._utils._rebuild_parameter": makeParameter,
  "torch._utils._rebuild_parameter_with_state": makeParameter,
  "_codecs.encode": makeBytes,
};

const builtins: Readonly<Record<string, Maker | undefined>> = {
  dict: makeDict,
  set: makeSet,
  frozenset: makeSet,
  bytes: makeBytes,
  bytearray: makeBytes,
  // Named as what a defaultdict makes; never called.
  list: undefined,
  tuple: undefined,
  int: undefined,
  float: undefined,
  str: undefined,
  bool: undefined,
};

/** Named, but never called. */
const classes = ["torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer"];

/** A name of the table whose value is opaque where it is made from an opaque value. */
const known = (name: string, make: Maker): Named =>
  new Named(name, (args) => (args[0] instanceof Opaque ? args[0] : make(args)));

const table = new Map<string, Named>(
  [
    ...Object.entries(makers).map(([name, make]) => known(name, make)),
    ...["__builtin__", "builtins"].flatMap((module) =>
      Object.entries(builtins).map(([name, make]) =>
        make ? known(`${module}.${name}`, make) : new Named(`${module}.${name}`),
      ),
    ),
    new Named("collections.defaultdict", () => new Map()), // its argument makes absent entries; existing entries follow
    new Named("torch._tensor._rebuild_from_type", makeFromType),
    new Named("torch._tensor._rebuild_from_type_v2", makeFromType),
    ...classes.map((name) => new Named(name)),
    ...types.flatMap(([dtype, type, storage]) => [
      new Named(`torch.${dtype}`, undefined, type),
      ...(storage === undefined ? [] : [new Named(`torch.${storage}`, undefined, type)]),
    ]),
    new Named("torch.storage.UntypedStorage", undefined, "untyped"),
  ].map((entry) => [entry.name, entry]),
);

/**
 * The storage of a persistent id `("storage", class, key, device, length)`, to which an old file may add a view; an opaque
 * value for what else an old file keeps outside of its pickle, such as the source text of a class.
 */
export function storageOf(id: PickleValue): StorageRecord | Opaque {
  const [kind, type, key, , length, view = null] = Array.isArray(id) ? id : [];
  if (kind === "module" && type instanceof Named) return new Opaque(type.name);
  if (kind !== "storage" || !(type instanceof Named) || typeof key !== "string") {
    refuse(`its pickle is damaged: ${describe(kind)} of ${describe(type)} is no storage.`);
  }
  if (type.dtype === undefined && otherStorages[type.name] === undefined) {
    refuse(`its pickle is damaged: "storage" of ${type.name} is no storage.`);
  }
  const [elements] = counts([length ?? null], "the length of a storage");
  const dtype = type.dtype === "untyped" ? undefined : (type.dtype ?? "other");
  const window = Array.isArray(view) ? counts(view.slice(1, 3), "a view of a storage") : undefined;
  return new StorageRecord(
    key,
    dtype,
    elements!,
    type.name,
    window && { start: window[0]!, length: window[1]! },
  );
}

/** Bytes that an element of a storage has. */
export function bytesEach({ dtype, type }: StorageRecord): number {
  if (dtype === undefined) return 1;
  return dtype === "other" ? otherStorages[type]! : formats[dtype].bytes;
}
