/**
 * The names of Python's that a checkpoint may hold, and what they stand for here. They are those that describe tensors
 * and plain containers; whatever else a file names, it is refused.
 */
import type { StateType } from "../../stateDict.ts";
import { describe, Named, type PickleValue, refuse, StorageRecord, TensorRecord } from "./values.ts";

/** What `module.name` stands for; throws for a name that is not in the table. */
export function named(module: string, name: string): Named {
  const known = table.get(`${module}.${name}`);
  if (known) return known;
  const reason = reasons.find(([pattern]) => pattern.test(`${module}.${name}`))?.[1];
  refuse(
    `it holds ${module}.${name}, ${reason ?? "and only tensors and plain containers are read. In Python, save the weights alone: torch.save(model.state_dict(), path)"}.`,
  );
}

const reasons: readonly (readonly [RegExp, string])[] = [
  [/^torch\.Complex\w*Storage$|^torch\.complex\d+$/, "complex numbers, which are not supported"],
  [
    /\.Q\w+Storage$|^torch\.q\w+\d|^torch\._utils\._rebuild_qtensor$/,
    "a quantised tensor; in Python, save tensor.dequantize()",
  ],
  [/\._rebuild_sparse/, "a sparse tensor; in Python, save tensor.to_dense()"],
  [/\._rebuild_meta_tensor/, "a tensor on the meta device, which has no elements"],
  [/^torch\.(u?int|float|bits)\w+$/, "an unsupported element type; in Python, save tensor.float()"],
  [
    /^__torch__\./,
    "a TorchScript program; in Python, save the weights alone: torch.save(module.state_dict(), path)",
  ],
];

/** Element types by the name of their storage and their dtype in PyTorch. */
const types: readonly (readonly [storage: string, dtype: string, type: StateType])[] = [
  ["DoubleStorage", "float64", "f64"],
  ["FloatStorage", "float32", "f32"],
  ["HalfStorage", "float16", "f16"],
  ["BFloat16Storage", "bfloat16", "bf16"],
  ["LongStorage", "int64", "i64"],
  ["IntStorage", "int32", "i32"],
  ["ShortStorage", "int16", "i16"],
  ["CharStorage", "int8", "i8"],
  ["ByteStorage", "uint8", "u8"],
  ["BoolStorage", "bool", "bool"],
];

type Maker = (args: readonly PickleValue[]) => PickleValue;

/** A dict from nothing, another dict, or pairs. */
function makeDict([from = []]: readonly PickleValue[]): PickleValue {
  if (from instanceof Map) return from;
  if (!Array.isArray(from) || !from.every((pair) => Array.isArray(pair) && pair.length === 2)) {
    refuse(`its pickle is damaged: it makes a dict from ${describe(from)}.`);
  }
  return new Map(from as [PickleValue, PickleValue][]);
}

function makeSet([from = []]: readonly PickleValue[]): PickleValue {
  if (!Array.isArray(from)) refuse(`its pickle is damaged: it makes a set from ${describe(from)}.`);
  return new Set(from);
}

/** torch.Size(extents) */
function makeSize([extents]: readonly PickleValue[]): PickleValue {
  return counts(extents, "a size");
}

/** _rebuild_tensor(storage, offset, shape, strides), and _v2 with (…, requires_grad, hooks, metadata). */
function makeTensor(args: readonly PickleValue[]): PickleValue {
  const [storage, offset, shape, strides, , , metadata] = args;
  if (!(storage instanceof StorageRecord) || storage.dtype === undefined) {
    refuse(`its pickle is damaged: a tensor is made from ${describe(storage)}.`);
  }
  checkMetadata(metadata);
  return window(storage, storage.dtype, [offset, shape, strides]);
}

/** _rebuild_tensor_v3(storage, offset, shape, strides, requires_grad, hooks, dtype, metadata) */
function makeTypedTensor(args: readonly PickleValue[]): PickleValue {
  const [storage, offset, shape, strides, , , dtype, metadata] = args;
  const type = dtype instanceof Named ? dtype.dtype : undefined;
  if (!(storage instanceof StorageRecord) || type === undefined || type === "untyped") {
    refuse(`its pickle is damaged: a tensor is made from ${describe(storage)} as ${describe(dtype)}.`);
  }
  checkMetadata(metadata);
  return window(storage, type, [offset, shape, strides]);
}

/** Views that are conjugate or negative only when they are read. */
function checkMetadata(metadata: PickleValue | undefined): void {
  if (!(metadata instanceof Map)) return;
  const lazy = ["conj", "neg"].find((key) => metadata.get(key) === true);
  if (lazy) refuse(`it holds a lazy view; in Python, save tensor.resolve_${lazy}().`);
}

function window(
  storage: StorageRecord,
  dtype: StateType,
  [offset, shape, strides]: readonly (PickleValue | undefined)[],
): TensorRecord {
  const [start] = counts([offset ?? null], "an offset");
  const extents = counts(shape, "a shape");
  const steps = counts(strides, "strides");
  if (extents.length !== steps.length || extents.length > 64) {
    refuse(`its pickle is damaged: a tensor has ${extents.length} extents and ${steps.length} strides.`);
  }
  return new TensorRecord(storage, dtype, start!, extents, steps);
}

export function counts(values: PickleValue | undefined, what: string): number[] {
  if (!Array.isArray(values) || !values.every((value) => Number.isSafeInteger(value) && Number(value) >= 0)) {
    refuse(`its pickle is damaged: ${what} must be whole numbers, 0 or more.`);
  }
  return values as number[];
}

/** _rebuild_parameter(tensor, …): the tensor itself. */
function makeParameter([tensor]: readonly PickleValue[]): PickleValue {
  if (!(tensor instanceof TensorRecord)) refuse(`its pickle is damaged: a parameter is ${describe(tensor)}.`);
  return tensor;
}

/** _rebuild_from_type_v2(how, class, arguments, attributes): a tensor to which attributes were added. */
function makeFromType([how, , args]: readonly PickleValue[]): PickleValue {
  if (
    !(how instanceof Named) ||
    how.make === undefined ||
    how.make === makeFromType ||
    !Array.isArray(args)
  ) {
    refuse(`its pickle is damaged: a tensor is made by ${describe(how)}.`);
  }
  return how.make(args);
}

/** encode(text, "latin1"): how protocol 2 writes bytes. Nothing here needs them as bytes. */
function makeBytes([text]: readonly PickleValue[]): PickleValue {
  return typeof text === "string" ? text : refuse(`its pickle is damaged: bytes are ${describe(text)}.`);
}

const makers: Readonly<Record<string, Maker>> = {
  "collections.OrderedDict": makeDict,
  "collections.defaultdict": () => new Map(), // its argument makes absent entries; existing entries follow
  "collections.Counter": makeDict,
  "torch.Size": makeSize,
  "torch.device": ([type]) => describe(type), // where a tensor was; nothing here needs it
  "torch._utils._rebuild_tensor": makeTensor,
  "torch._utils._rebuild_tensor_v2": makeTensor,
  "torch._utils._rebuild_tensor_v3": makeTypedTensor,
  "torch._utils._rebuild_parameter": makeParameter,
  "torch._utils._rebuild_parameter_with_state": makeParameter,
  "torch._tensor._rebuild_from_type": makeFromType,
  "torch._tensor._rebuild_from_type_v2": makeFromType,
  "_codecs.encode": makeBytes,
};

const builtins: Readonly<Record<string, Maker | undefined>> = {
  dict: makeDict,
  set: makeSet,
  frozenset: makeSet,
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

const table = new Map<string, Named>(
  [
    ...Object.entries(makers).map(([name, make]) => new Named(name, make)),
    ...["__builtin__", "builtins"].flatMap((module) =>
      Object.entries(builtins).map(([name, make]) => new Named(`${module}.${name}`, make)),
    ),
    ...classes.map((name) => new Named(name)),
    ...types.flatMap(([storage, dtype, type]) => [
      new Named(`torch.${storage}`, undefined, type),
      new Named(`torch.${dtype}`, undefined, type),
    ]),
    new Named("torch.storage.UntypedStorage", undefined, "untyped"),
  ].map((entry) => [entry.name, entry]),
);

/** The parts of a persistent id `("storage", class, key, device, length)`, and the view that an old file may add. */
export function storageOf(id: PickleValue): { storage: StorageRecord; view: PickleValue } {
  const [kind, type, key, , length, view = null] = Array.isArray(id) ? id : [];
  if (kind !== "storage" || !(type instanceof Named && type.dtype) || typeof key !== "string") {
    refuse(`its pickle is damaged: ${describe(kind)} of ${describe(type)} is no storage.`);
  }
  const [elements] = counts([length ?? null], "the length of a storage");
  return {
    storage: new StorageRecord(key, type.dtype === "untyped" ? undefined : type.dtype, elements!),
    view,
  };
}
