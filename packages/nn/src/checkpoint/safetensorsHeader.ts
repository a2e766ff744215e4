/**
 * The header of safetensors: eight bytes of little-endian length, then JSON
 * `{ "__metadata__": {…}, name: { dtype, shape, data_offsets: [begin, end] } }`.
 * https://github.com/huggingface/safetensors#format
 */
import { CheckpointError } from "../errors.ts";
import { elements, type StateType } from "../stateDict.ts";
import type { ByteSource } from "./byteSource.ts";
import { foreignFile } from "./foreign.ts";
import { formats, type ReadableType } from "./formats.ts";
import { listed, plain, quoted } from "./words.ts";

/** The format's own names of the types that are read. */
export const typeNames: Readonly<Record<ReadableType, string>> = {
  f64: "F64",
  f32: "F32",
  f16: "F16",
  bf16: "BF16",
  f8e4m3: "F8_E4M3",
  f8e5m2: "F8_E5M2",
  i64: "I64",
  i32: "I32",
  i16: "I16",
  i8: "I8",
  u64: "U64",
  u32: "U32",
  u16: "U16",
  u8: "U8",
  bool: "BOOL",
};
const typeOf = new Map(Object.entries(typeNames).map(([dtype, name]) => [name, dtype as ReadableType]));
/** The format's own limit on the header. */
const largestHeader = 100_000_000;

export function refuse(sentence: string): never {
  throw new CheckpointError(`safetensors: ${sentence}`);
}

/** One tensor of a file. */
export interface Located {
  readonly name: string;
  /** "other" where the element type is not read. */
  readonly dtype: StateType;
  /** The element type as the file calls it. */
  readonly type: string;
  readonly shape: number[];
  /** Its bytes, counted from the end of the header. */
  readonly begin: number;
  readonly end: number;
}

/** What a header says; everything in it is checked against the size of the file. */
export interface Header {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: readonly Located[];
  /** Bytes of the file before the data. */
  readonly start: number;
}

/** Reads and checks the header of a file. Throws CheckpointError with a sentence. */
export function readHeader(source: ByteSource): Header {
  const { fields, start } = parse(source);
  let metadata: unknown = {};
  const tensors: Located[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (name === "__metadata__") metadata = value;
    else tensors.push(describe(name, value));
  }
  if (!isRecord(metadata) || Object.values(metadata).some((text) => typeof text !== "string")) {
    refuse("__metadata__ must map names to texts.");
  }
  checkRanges(tensors, source.size - start);
  return { metadata: metadata as Record<string, string>, tensors, start };
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether bytes start like safetensors: a possible length of the header, then "{". */
export const isSafetensors = (head: Uint8Array): boolean =>
  head.length > 8 && headerLength(head) <= largestHeader && head[8] === 0x7b;

const headerLength = (head: Uint8Array): number => {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  return view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
};

function parse(source: ByteSource): { fields: Record<string, unknown>; start: number } {
  const head = source.read(0, Math.min(source.size, 512));
  const foreign = isSafetensors(head) ? undefined : foreignFile(head, source.size);
  if (foreign !== undefined) throw new CheckpointError(foreign);
  if (head.length < 8) {
    refuse(`the file has ${head.length} bytes, fewer than the 8 of the header's length.`);
  }
  const length = headerLength(head);
  if (length > largestHeader) {
    refuse(`the header claims ${length} bytes, more than the ${largestHeader} allowed; is this safetensors?`);
  }
  const start = 8 + length;
  if (start > source.size) {
    refuse(`the file is cut off: the header needs ${start} bytes, the file has ${source.size}.`);
  }
  if (head[8] !== 0x7b) refuse('the header must start with "{".');
  let text: string;
  let fields: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(source.read(8, start));
    fields = JSON.parse(text);
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    refuse(`the header is not JSON in UTF-8 (${plain((error as Error).message)}).`);
  }
  if (!isRecord(fields)) refuse("the header must be a JSON object.");
  const twice = firstDuplicate(text, Object.keys(fields).length);
  if (twice !== undefined) refuse(`the name ${quoted(twice)} occurs twice in the header.`);
  return { fields, start };
}

const quote = 0x22;

/** The keys of a JSON object as written, with their quotes. `text` is known to be JSON. */
function* topLevelKeys(text: string): Generator<string> {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x7b || code === 0x5b) depth++;
    else if (code === 0x7d || code === 0x5d) depth--;
    else if (code === quote) {
      const end = endOfText(text, i);
      if (depth === 1 && isKey(text, end)) yield text.slice(i, end);
      i = end - 1;
    }
  }
}

/** The index behind a JSON text that starts at `start`. */
function endOfText(text: string, start: number): number {
  let end = start + 1;
  while (text.charCodeAt(end) !== quote) end += text[end] === "\\" ? 2 : 1;
  return end + 1;
}

/** Whether a colon follows. */
function isKey(text: string, end: number): boolean {
  let next = end;
  while (/\s/.test(text[next] ?? "")) next++;
  return text[next] === ":";
}

/** A key that occurs twice: JSON.parse keeps only the last of equal ones, and so `kept` keys. */
function firstDuplicate(text: string, kept: number): string | undefined {
  let written = 0;
  for (const _ of topLevelKeys(text)) written++;
  if (written === kept) return undefined;
  const seen = new Set<string>();
  for (const key of topLevelKeys(text)) {
    const name = JSON.parse(key) as string;
    if (seen.size === seen.add(name).size) return name;
  }
  return undefined;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function describe(name: string, info: unknown): Located {
  if (!isRecord(info)) refuse(`${quoted(name)} must be described by an object.`);
  const { dtype: type, shape, data_offsets: offsets } = info;
  if (typeof type !== "string" || !/^\w{1,32}$/.test(type)) {
    refuse(`${quoted(name)} has dtype ${listed(type)}; known are ${[...typeOf.keys()].join(", ")}.`);
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    refuse(`${quoted(name)} has shape ${listed(shape)}; it must be a list of whole numbers, 0 or more.`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    refuse(`${quoted(name)} has data_offsets ${listed(offsets)}; they must be [begin, end].`);
  }
  const [begin, end] = offsets as [number, number];
  const dtype = typeOf.get(type) ?? "other";
  const expected = dtype === "other" ? undefined : elements(shape) * formats[dtype].bytes;
  if (end < begin || (expected !== undefined && end - begin !== expected)) {
    const needed = expected === undefined ? "0 bytes or more" : `${expected} bytes`;
    refuse(`${quoted(name)} (${type} ${listed(shape)}) needs ${needed}, but its range has ${end - begin}.`);
  }
  return { name, dtype, type, shape, begin, end };
}

/** The ranges must cover the data exactly: nothing shared, nothing left over. */
function checkRanges(found: readonly Located[], available: number): void {
  let covered = 0;
  let previous = "";
  for (const { name, begin, end } of [...found].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (end > available) {
      refuse(`${quoted(name)} ends at byte ${end} of the data, which has ${available}; the file is cut off.`);
    }
    if (begin < covered) refuse(`${quoted(name)} and ${quoted(previous)} overlap (byte ${begin}).`);
    if (begin > covered) refuse(`bytes ${covered} to ${begin} of the data belong to no tensor.`);
    covered = end;
    previous = name;
  }
  if (covered < available) refuse(`${available - covered} bytes after the last tensor belong to no tensor.`);
}
