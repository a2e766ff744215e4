/**
 * The container of torch.save before 1.6: pickles one after another (a magic number, the version of the format, facts on the
 * machine, the saved object, the keys of its storages), then each storage as its length and its elements.
 */
import type { ByteSource } from "../byteSource.ts";
import { plain } from "../words.ts";
import type { Archive } from "./archive.ts";
import { ByteReader } from "./byteReader.ts";
import { bytesEach, named, storageOf } from "./names.ts";
import { readPickle } from "./pickle.ts";
import { describe, type PickleValue, refuse, StorageRecord } from "./values.ts";

const magic = 0x1950a86a20f9469cfc6cn;
const version = 1001;
/** The pickles of a file that is not in memory must lie in its first bytes. */
const longestStart = 2 ** 28;

export function readLegacy(source: ByteSource): Archive {
  const start = source.view(0, source.inMemory ? source.size : Math.min(source.size, longestStart));
  const reader = new ByteReader(start, "the file");
  const stored = new Map<string, StorageRecord>();
  const host = { named, persistent: (id: PickleValue): PickleValue => record(id, stored) };
  const next = (): PickleValue => readPickle(reader, host);

  const first = next();
  if (first !== magic) {
    refuse(
      `it is a pickle of ${describe(first)}, but not a file of torch.save. In Python, load it and save its tensors: torch.save(state_dict, path).`,
    );
  }
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
  const keys = next();
  const starts = locate(keys, source, reader.position, stored);
  for (const key of stored.keys()) {
    if (!starts.has(key)) refuse(`storage ${plain(key)} is not in the file.`);
  }
  return {
    container: "legacy",
    root,
    storageBytes: (key, from, to) => source.read(starts.get(key)! + from, starts.get(key)! + to),
  };
}

/** The storage, or the view of one, that a persistent id names; other objects than storages are opaque. */
function record(id: PickleValue, stored: Map<string, StorageRecord>): PickleValue {
  const storage = storageOf(id);
  if (!(storage instanceof StorageRecord)) return storage;
  const { key, dtype, length, type, view } = storage;
  const earlier = stored.get(key);
  if (earlier && (earlier.dtype !== dtype || earlier.length !== length || earlier.type !== type)) {
    refuse(`its pickle is damaged: storage ${plain(key)} is described twice, differently.`);
  }
  stored.set(key, storage);
  if (view === undefined) return storage;
  if (view.start + view.length > length) {
    refuse(`its pickle is damaged: a view of storage ${plain(key)} is larger than it.`);
  }
  return new StorageRecord(key, dtype, view.length, type, undefined, view.start);
}

/** Where the bytes of each storage start: behind the pickles, which end at `position`, in the order of `keys`. */
function locate(
  keys: PickleValue,
  source: ByteSource,
  position: number,
  stored: ReadonlyMap<string, StorageRecord>,
): Map<string, number> {
  if (!Array.isArray(keys)) refuse(`its pickle is damaged: the list of storages is ${describe(keys)}.`);
  const starts = new Map<string, number>();
  let at = position;
  for (const key of keys) {
    const storage = typeof key === "string" ? stored.get(key) : undefined;
    if (!storage) refuse(`its pickle is damaged: no tensor needs the storage ${describe(key)}.`);
    if (at + 8 > source.size) refuse(`the file is cut off: storage ${plain(storage.key)} is missing.`);
    const length = new ByteReader(source.view(at, at + 8), "the file").uint64();
    if (length !== storage.length) {
      refuse(`storage ${plain(storage.key)} has ${length} elements, but its tensors say ${storage.length}.`);
    }
    starts.set(storage.key, at + 8);
    at += 8 + length * bytesEach(storage);
    if (at > source.size) {
      refuse(
        `the file is cut off: storage ${plain(storage.key)} ends at byte ${at}, and the file has ${source.size}.`,
      );
    }
  }
  return starts;
}
