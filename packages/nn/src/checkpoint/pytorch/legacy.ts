/**
 * The container of torch.save before 1.6: pickles one after another (a magic number, the version of the format, facts on the
 * machine, the saved object, the keys of its storages), then each storage as its length and its elements.
 */
import { formats } from "../formats.ts";
import type { Archive } from "./archive.ts";
import { ByteReader } from "./byteReader.ts";
import { counts, named, storageOf } from "./names.ts";
import { readPickle } from "./pickle.ts";
import { describe, type PickleValue, refuse, StorageRecord } from "./values.ts";

const magic = 0x1950a86a20f9469cfc6cn;
const version = 1001;

export function readLegacy(bytes: Uint8Array): Archive {
  const reader = new ByteReader(bytes, "the file");
  const stored = new Map<string, StorageRecord>();
  const host = { named, persistent: (id: PickleValue): PickleValue => record(id, stored) };
  const next = (): PickleValue => readPickle(reader, host);

  if (next() !== magic)
    refuse("it is a pickle, but not one of torch.save: it does not start with its number.");
  const found = next();
  if (found !== version) {
    refuse(`it has version ${describe(found)} of the format before 1.6; only ${version} is known.`);
  }
  const machine = next();
  if (machine instanceof Map && machine.get("little_endian") === false) {
    refuse(
      'its numbers are stored "big"-endian; only little-endian is read. Save it again on a little-endian machine.',
    );
  }
  const root = next();
  const ranges = locate(next(), reader, stored);
  for (const key of stored.keys()) if (!ranges.has(key)) refuse(`storage ${key} is not in the file.`);
  return {
    container: "legacy",
    root,
    storages: (keys) => new Map([...keys].map((key) => [key, new Uint8Array(ranges.get(key)!)])),
  };
}

/** The storage, or the view of one, that a persistent id names. */
function record(id: PickleValue, stored: Map<string, StorageRecord>): StorageRecord {
  const { storage, view } = storageOf(id);
  const { key, dtype, length } = storage;
  const earlier = stored.get(key);
  if (earlier && (earlier.dtype !== dtype || earlier.length !== length)) {
    refuse(`its pickle is damaged: storage ${key} is described twice, differently.`);
  }
  stored.set(key, storage);
  if (!Array.isArray(view)) return storage;
  const [start, count] = counts(view.slice(1, 3), "a view of a storage") as [number, number];
  if (start + count > length) refuse(`its pickle is damaged: a view of storage ${key} is larger than it.`);
  return new StorageRecord(key, dtype, count, start);
}

/** Where the bytes of each storage lie: behind the pickles, in the order of `keys`. */
function locate(
  keys: PickleValue,
  reader: ByteReader,
  stored: ReadonlyMap<string, StorageRecord>,
): Map<string, Uint8Array> {
  if (!Array.isArray(keys)) refuse(`its pickle is damaged: the list of storages is ${describe(keys)}.`);
  return new Map(
    keys.map((key) => {
      const storage = typeof key === "string" ? stored.get(key) : undefined;
      if (!storage) refuse(`its pickle is damaged: no tensor needs the storage ${describe(key)}.`);
      const length = reader.uint64();
      if (length !== storage.length) {
        refuse(`storage ${storage.key} has ${length} elements, but its tensors say ${storage.length}.`);
      }
      const bytesEach = storage.dtype === undefined ? 1 : formats[storage.dtype].bytes;
      return [storage.key, reader.bytes(length * bytesEach)];
    }),
  );
}
