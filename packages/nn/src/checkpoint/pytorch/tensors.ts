/** From windows of storages to arrays in C order. */
import { elements, type StateEntry } from "../../stateDict.ts";
import { formats } from "../formats.ts";
import type { Archive } from "./archive.ts";
import { refuse, type TensorRecord } from "./values.ts";

/**
 * Tensors may share their storage or repeat its elements, so together they can be larger than the file; beyond this many
 * times they are an attack on memory.
 */
const mostCopies = 16;
const alwaysAllowed = 16 * 2 ** 20;

/** Reads the elements of tensors from an archive of `fileBytes`. Everything is checked before anything is made. */
export function readTensors(
  records: ReadonlyMap<string, TensorRecord>,
  archive: Archive,
  fileBytes: number,
): Map<string, StateEntry> {
  let total = 0;
  const users = new Map<string, number>();
  for (const [name, record] of records) {
    checkWindow(name, record);
    total += elements(record.shape) * formats[record.dtype].bytes;
    users.set(record.storage.key, (users.get(record.storage.key) ?? 0) + 1);
  }
  if (!(total <= mostCopies * fileBytes + alwaysAllowed)) {
    refuse(
      `its tensors would take ${total} bytes, more than ${mostCopies} times the file, which has ${fileBytes}.`,
    );
  }
  const storages = archive.storages(new Set(users.keys()));
  return new Map(
    [...records].map(([name, record]) => {
      const { dtype, shape, storage } = record;
      const whole = storages.get(storage.key)!;
      // Unshared data need not be copied.
      const own = users.get(storage.key) === 1 && isContiguous(record) && holdsAll(record, whole);
      return [name, { shape, dtype, data: formats[dtype].read(own ? whole.buffer : gather(record, whole)) }];
    }),
  );
}

/** All elements that a tensor has must lie in its storage. */
function checkWindow(name: string, { storage, dtype, offset, shape, strides }: TensorRecord): void {
  const held = storage.dtype === undefined ? storage.length / formats[dtype].bytes : storage.length;
  const last = shape.reduce((position, extent, axis) => position + (extent - 1) * strides[axis]!, offset);
  if (elements(shape) > 0 && !(last < held)) {
    refuse(`"${name}" [${shape.join(", ")}] needs ${last + 1} elements of a storage that has ${held}.`);
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

const holdsAll = ({ dtype, offset, shape, storage }: TensorRecord, whole: Uint8Array): boolean =>
  offset + storage.start === 0 && elements(shape) * formats[dtype].bytes === whole.length;

const words = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array } as const;

/** The tensor's elements one after another, as they are stored. */
function gather(record: TensorRecord, whole: Uint8Array<ArrayBuffer>): ArrayBuffer {
  const { dtype, shape, strides } = record;
  const bytesEach = formats[dtype].bytes as keyof typeof words;
  const start = record.offset + record.storage.start;
  const count = elements(shape);
  if (isContiguous(record)) return whole.slice(start * bytesEach, (start + count) * bytesEach).buffer;
  const Words = words[bytesEach];
  const from = new Words(whole.buffer, 0, Math.floor(whole.length / bytesEach));
  const to = new Words(count);
  const index = shape.map(() => 0);
  let position = start;
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
