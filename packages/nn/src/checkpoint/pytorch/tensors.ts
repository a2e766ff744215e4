/** From windows of storages to arrays in C order. */
import { elements, type StateEntry } from "../../stateDict.ts";
import type { ByteSource } from "../byteSource.ts";
import { readableEntry, type UnreadableTensor, unreadableEntry } from "../entry.ts";
import { formats } from "../formats.ts";
import { quoted, shapeText } from "../words.ts";
import type { Archive } from "./archive.ts";
import { refuse, TensorRecord, UnreadableRecord } from "./values.ts";

/**
 * Tensors may share their storage or repeat its elements, so together they can be larger than the file; beyond this many
 * times they are an attack on memory.
 */
const mostCopies = 16;
const alwaysAllowed = 16 * 2 ** 20;

/**
 * The entries of tensors of an archive, whose file is `source`. Everything is checked before anything is read; throws where
 * none of them can be read.
 */
export function readTensors(
  records: ReadonlyMap<string, TensorRecord | UnreadableRecord>,
  archive: Archive,
  source: ByteSource,
): { entries: Map<string, StateEntry>; unreadable: UnreadableTensor[] } {
  let total = 0;
  const unreadable: UnreadableTensor[] = [];
  for (const [name, record] of records) {
    if (record instanceof TensorRecord) {
      checkWindow(name, record);
      total += elements(record.shape) * formats[record.dtype].bytes;
    } else unreadable.push({ name, type: record.type, shape: record.shape });
  }
  if (unreadable.length === records.size) {
    const [name, record] = [...records][0] as [string, UnreadableRecord];
    refuse(`it holds no tensor that is read: ${problem(name, record)}`);
  }
  if (!(total <= mostCopies * source.size + alwaysAllowed)) {
    refuse(
      `its tensors would take ${total} bytes, more than ${mostCopies} times the file, which has ${source.size}.`,
    );
  }
  const entries = new Map<string, StateEntry>();
  for (const [name, record] of records) {
    const { shape } = record;
    const entry =
      record instanceof UnreadableRecord
        ? unreadableEntry(shape, `PyTorch: ${problem(name, record)}`)
        : readableEntry(source, shape, record.dtype, () =>
            formats[record.dtype].read(gather(record, archive)),
          );
    entries.set(name, entry);
  }
  return { entries, unreadable };
}

const problem = (name: string, { type, shape, reason }: UnreadableRecord): string =>
  `${quoted(name)} ${shapeText(shape)} has type ${type}: ${reason}.`;

/** The element of its storage that a tensor needs last, counted from the storage's start. */
const lastElement = ({ offset, shape, strides }: TensorRecord): number =>
  shape.reduce((position, extent, axis) => position + (extent - 1) * strides[axis]!, offset);

/** All elements that a tensor has must lie in its storage. */
function checkWindow(name: string, record: TensorRecord): void {
  const { storage, dtype, shape } = record;
  const held = storage.dtype === undefined ? storage.length / formats[dtype].bytes : storage.length;
  const last = lastElement(record);
  if (elements(shape) > 0 && !(last < held)) {
    refuse(`${quoted(name)} ${shapeText(shape)} needs ${last + 1} elements of a storage that has ${held}.`);
  }
}

function isContiguous({ shape, strides }: TensorRecord): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return false;
    step *= shape[axis]!;
  }
  return true;
}

const words = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array } as const;

/** The tensor's elements one after another, as they are stored. Only the part of the storage that holds them is read. */
function gather(record: TensorRecord, archive: Archive): ArrayBuffer {
  const { dtype, shape, strides, storage, offset } = record;
  const count = elements(shape);
  if (count === 0) return new ArrayBuffer(0);
  const bytesEach = formats[dtype].bytes as keyof typeof words;
  const [first, end] = [storage.start + offset, storage.start + lastElement(record) + 1];
  const part = archive.storageBytes(storage.key, first * bytesEach, end * bytesEach);
  if (isContiguous(record)) return part.buffer;
  const Words = words[bytesEach];
  const from = new Words(part.buffer);
  const to = new Words(count);
  const index = shape.map(() => 0);
  let position = 0;
  for (let i = 0; i < count; i++) {
    to[i] = from[position]!;
    // The next index, the last axis fastest; an axis that is full starts again.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      position -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return to.buffer;
}
