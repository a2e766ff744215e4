/**
 * The safetensors format: eight bytes of little-endian header length, a JSON header
 * `{ "__metadata__": {…}, name: { dtype, shape, data_offsets: [begin, end] } }`, then the arrays back to back.
 * https://github.com/huggingface/safetensors#format
 */
import { checkKind } from "../arguments.ts";
import { CheckpointError } from "../errors.ts";
import { checkStateDict, elements, type StateDict, type StateEntry, type StateType } from "../stateDict.ts";
import { Checkpoint } from "./checkpoint.ts";
import { formats } from "./formats.ts";

/** The format's own names of the types. */
const typeNames: Readonly<Record<StateType, string>> = {
  f64: "F64",
  f32: "F32",
  f16: "F16",
  bf16: "BF16",
  i64: "I64",
  i32: "I32",
  i16: "I16",
  i8: "I8",
  u8: "U8",
  bool: "BOOL",
};
const typeOf = new Map(Object.entries(typeNames).map(([dtype, name]) => [name, dtype as StateType]));
/** The format's own limit on the header. */
const largestHeader = 100_000_000;

function refuse(sentence: string): never {
  throw new CheckpointError(`safetensors: ${sentence}`);
}

/** Throws UsageError unless `bytes` are a file's; by its tag, because Node's files may come from another realm. */
export function checkBytes(op: string, bytes: unknown, kind = "bytes in a Uint8Array"): void {
  checkKind(op, "the file", bytes, Object(bytes)[Symbol.toStringTag] === "Uint8Array", kind);
}

/** Reads a file's bytes. Everything is checked before anything is copied; throws CheckpointError with a sentence. */
export function readSafetensors(bytes: Uint8Array): Checkpoint {
  checkBytes("readSafetensors", bytes);
  const { header, start } = readHeader(bytes);
  const { __metadata__: metadata = {}, ...tensors } = header;
  if (!isRecord(metadata) || Object.values(metadata).some((text) => typeof text !== "string")) {
    refuse("__metadata__ must map names to texts.");
  }
  const found = Object.entries(tensors).map(([name, info]) => describe(name, info));
  checkRanges(found, bytes.length - start);
  const entries = found.map(({ name, dtype, shape, begin, end }): [string, StateEntry] => {
    const copy = new Uint8Array(bytes.subarray(start + begin, start + end)); // aligned, and independent of the file
    return [name, { shape, dtype, data: formats[dtype].read(copy.buffer) }];
  });
  return new Checkpoint(entries, metadata as Record<string, string>);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function readHeader(bytes: Uint8Array): { header: Record<string, unknown>; start: number } {
  if (bytes.length < 8)
    refuse(`the file has ${bytes.length} bytes, fewer than the 8 of the header's length.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  if (length > largestHeader) {
    refuse(`the header claims ${length} bytes, more than the ${largestHeader} allowed; is this safetensors?`);
  }
  const start = 8 + length;
  if (start > bytes.length) {
    refuse(`the file is cut off: the header needs ${start} bytes, the file has ${bytes.length}.`);
  }
  if (bytes[8] !== 0x7b) refuse('the header must start with "{".');
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, start));
    header = JSON.parse(text);
  } catch (error) {
    refuse(`the header is no JSON in UTF-8 (${(error as Error).message}).`);
  }
  if (!isRecord(header)) refuse("the header must be a JSON object.");
  const twice = firstDuplicate(topLevelKeys(text));
  if (twice !== undefined) refuse(`the name "${twice}" occurs twice in the header.`);
  return { header, start };
}

/** The keys of a JSON object as written: JSON.parse keeps only the last of equal ones. */
function topLevelKeys(text: string): string[] {
  const keys: string[] = [];
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"\s*:?|[{}[\]]/g)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (depth === 1 && token.endsWith(":")) keys.push(JSON.parse(token.slice(0, -1)) as string);
  }
  return keys;
}

function firstDuplicate(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
}

interface Located {
  readonly name: string;
  readonly dtype: StateType;
  readonly shape: number[];
  readonly begin: number;
  readonly end: number;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function describe(name: string, info: unknown): Located {
  if (!isRecord(info)) refuse(`"${name}" must be described by an object.`);
  const { dtype: type, shape, data_offsets: offsets } = info;
  const dtype = typeOf.get(String(type));
  if (dtype === undefined) {
    refuse(`"${name}" has dtype ${JSON.stringify(type)}; known are ${[...typeOf.keys()].join(", ")}.`);
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    refuse(`"${name}" has shape ${JSON.stringify(shape)}; it must be a list of whole numbers, 0 or more.`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    refuse(`"${name}" has data_offsets ${JSON.stringify(offsets)}; they must be [begin, end].`);
  }
  const [begin, end] = offsets as [number, number];
  const expected = elements(shape) * formats[dtype].bytes;
  if (end - begin !== expected) {
    refuse(
      `"${name}" (${type} [${shape.join(", ")}]) needs ${expected} bytes, but its range has ${end - begin}.`,
    );
  }
  return { name, dtype, shape, begin, end };
}

/** The ranges must cover the data exactly: nothing shared, nothing left over. */
function checkRanges(found: readonly Located[], available: number): void {
  let covered = 0;
  let previous = "";
  for (const { name, begin, end } of [...found].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (end > available) {
      refuse(`"${name}" ends at byte ${end} of the data, which has ${available}; the file is cut off.`);
    }
    if (begin < covered) refuse(`"${name}" and "${previous}" overlap (byte ${begin}).`);
    if (begin > covered) refuse(`bytes ${covered} to ${begin} of the data belong to no tensor.`);
    covered = end;
    previous = name;
  }
  if (covered < available) refuse(`${available - covered} bytes after the last tensor belong to no tensor.`);
}

/**
 * The bytes of a file. Names keep the order of `dict` in the header; the arrays lie sorted by the size of their
 * elements, so that each is aligned. Data must match `dtype` (see StateData); f16 and bf16 are rounded to nearest.
 *
 * @throws CheckpointError for arrays that a file cannot hold, UsageError for what is no state dict
 */
export function writeSafetensors(
  dict: ReadonlyMap<string, StateEntry>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  checkStateDict("writeSafetensors", dict);
  const isText = isRecord(metadata) && Object.values(metadata).every((text) => typeof text === "string");
  checkKind("writeSafetensors", "the metadata", metadata, isText, "an object of strings");
  const arrays = [...dict].map(([name, entry]) => ({ name, ...entry, raw: rawBytes(name, entry), begin: 0 }));
  let size = 0;
  for (const array of [...arrays].sort((a, b) => formats[b.dtype].bytes - formats[a.dtype].bytes)) {
    array.begin = size;
    size += array.raw.length;
  }
  // Put together as text: an object literal would reorder names that look like numbers.
  const fields = arrays.map(({ name, dtype, shape, raw, begin }) => {
    const info = { dtype: typeNames[dtype], shape, data_offsets: [begin, begin + raw.length] };
    return `${JSON.stringify(name)}:${JSON.stringify(info)}`;
  });
  if (Object.keys(metadata).length > 0) fields.unshift(`"__metadata__":${JSON.stringify(metadata)}`);
  const header = new TextEncoder().encode(`{${fields.join(",")}}`);
  const start = Math.ceil((8 + header.length) / 8) * 8;
  const bytes = new Uint8Array(start + size).fill(0x20, 8, start); // the header is padded with spaces
  new DataView(bytes.buffer).setUint32(0, start - 8, true);
  bytes.set(header, 8);
  for (const { raw, begin } of arrays) bytes.set(raw, start + begin);
  return bytes;
}

function rawBytes(name: string, { dtype, shape, data }: StateEntry): Uint8Array {
  if (name === "__metadata__") refuse('a tensor cannot be called "__metadata__".');
  if (data.length !== elements(shape)) {
    refuse(`"${name}" has shape [${shape.join(", ")}] but ${data.length} elements.`);
  }
  if (!Object.hasOwn(formats, dtype))
    refuse(`"${name}" has dtype ${dtype}; known are ${Object.keys(formats).join(", ")}.`);
  const raw = formats[dtype].write(data);
  if (raw === undefined)
    refuse(`"${name}" has dtype ${dtype}, which a ${data.constructor.name} cannot hold.`);
  return new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
}

/** The arrays of a checkpoint under one prefix, without it: several dicts can share a file. */
export function underPrefix(dict: ReadonlyMap<string, StateEntry>, prefix: string): StateDict {
  const inside = [...dict].filter(([name]) => name.startsWith(prefix));
  return new Map(inside.map(([name, entry]) => [name.slice(prefix.length), entry]));
}

/** The arrays with a prefix in front of every name. */
export const withPrefix = (dict: ReadonlyMap<string, StateEntry>, prefix: string): StateDict =>
  new Map([...dict].map(([name, entry]) => [prefix + name, entry]));
