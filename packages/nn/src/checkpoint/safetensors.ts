/** The safetensors format: a header (safetensorsHeader.ts), then the arrays back to back. */
import { checkKind } from "../arguments.ts";
import { checkStateDict, elements, type StateDict, type StateEntry } from "../stateDict.ts";
import { type ByteSource, memorySource } from "./byteSource.ts";
import { Checkpoint } from "./checkpoint.ts";
import { readableEntry, type UnreadableTensor, unreadableEntry } from "./entry.ts";
import { formats } from "./formats.ts";
import { isRecord, readHeader, refuse, typeNames } from "./safetensorsHeader.ts";
import { quoted } from "./words.ts";

/**
 * Reads a file's bytes. Everything is checked before anything is copied. Tensors of element types that are not read (F4,
 * C64, …) are listed as `unreadable`.
 *
 * @throws CheckpointError with a sentence, UsageError for what is not bytes
 */
export const readSafetensors = (bytes: Uint8Array): Checkpoint =>
  readSafetensorsFrom(memorySource("readSafetensors", bytes));

/** The same from any source; the arrays of one that is not in memory are read when they are first used. */
export function readSafetensorsFrom(source: ByteSource): Checkpoint {
  const { metadata, tensors, start } = readHeader(source);
  const unreadable: UnreadableTensor[] = [];
  const entries = tensors.map(({ name, dtype, type, shape, begin, end }): [string, StateEntry] => {
    if (dtype === "other") {
      unreadable.push({ name, type, shape });
      return [
        name,
        unreadableEntry(shape, `safetensors: ${quoted(name)} has element type ${type}, ${advice}.`),
      ];
    }
    const read = () => formats[dtype].read(source.read(start + begin, start + end).buffer);
    return [name, readableEntry(source, shape, dtype, read)];
  });
  return new Checkpoint(entries, metadata, unreadable);
}

const advice = `which is not read; read are ${Object.values(typeNames).join(", ")}. In Python, save tensor.float()`;

/**
 * The bytes of a file. Names keep the order of `dict` in the header; the arrays lie sorted by the size of their
 * elements, so that each is aligned. Data must match `dtype` (see StateData); small floats are rounded to the nearest.
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
  const arrays = [...dict].map(([name, entry]) => ({ name, ...raw(name, entry), begin: 0 }));
  let size = 0;
  for (const array of [...arrays].sort((a, b) => b.bytesEach - a.bytesEach)) {
    array.begin = size;
    size += array.bytes.length;
  }
  // Put together as text: an object literal would reorder names that look like numbers.
  const fields = arrays.map(({ name, type, shape, bytes, begin }) => {
    const info = { dtype: type, shape, data_offsets: [begin, begin + bytes.length] };
    return `${JSON.stringify(name)}:${JSON.stringify(info)}`;
  });
  if (Object.keys(metadata).length > 0) fields.unshift(`"__metadata__":${JSON.stringify(metadata)}`);
  const header = new TextEncoder().encode(`{${fields.join(",")}}`);
  const start = Math.ceil((8 + header.length) / 8) * 8;
  const file = new Uint8Array(start + size).fill(0x20, 8, start); // the header is padded with spaces
  new DataView(file.buffer).setUint32(0, start - 8, true);
  file.set(header, 8);
  for (const { bytes, begin } of arrays) file.set(bytes, start + begin);
  return file;
}

interface RawArray {
  readonly type: string;
  readonly bytesEach: number;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

function raw(name: string, { dtype, shape, data }: StateEntry): RawArray {
  if (name === "__metadata__") refuse('a tensor cannot be called "__metadata__".');
  if (data.length !== elements(shape)) {
    refuse(`"${name}" has shape [${shape.join(", ")}] but ${data.length} elements.`);
  }
  if (dtype !== "other" && !Object.hasOwn(formats, dtype)) {
    refuse(`"${name}" has dtype ${dtype}; known are ${Object.keys(formats).join(", ")}.`);
  }
  const written = dtype === "other" ? undefined : formats[dtype].write(data);
  if (dtype === "other" || written === undefined) {
    refuse(`"${name}" has dtype ${dtype}, which a ${data.constructor.name} cannot hold.`);
  }
  const bytes = new Uint8Array(written.buffer, written.byteOffset, written.byteLength);
  return { type: typeNames[dtype], bytesEach: formats[dtype].bytes, shape, bytes };
}

/** The arrays of a checkpoint under one prefix, without it: several dicts can share a file. */
export function underPrefix(dict: ReadonlyMap<string, StateEntry>, prefix: string): StateDict {
  const inside = [...dict].filter(([name]) => name.startsWith(prefix));
  return new Map(inside.map(([name, entry]) => [name.slice(prefix.length), entry]));
}

/** The arrays with a prefix in front of every name. */
export const withPrefix = (dict: ReadonlyMap<string, StateEntry>, prefix: string): StateDict =>
  new Map([...dict].map(([name, entry]) => [prefix + name, entry]));
