/**
 * The container of torch.save since 1.6: a zip archive of stored files `name/data.pkl`, `name/byteorder` (since 2.1) and one
 * `name/data/<key>` for each storage, uncompressed.
 */
import { type UnzipFileFilter, type Unzipped, unzipSync } from "fflate";
import { CheckpointError } from "../../errors.ts";
import { formats } from "../formats.ts";
import type { Archive } from "./archive.ts";
import { ByteReader } from "./byteReader.ts";
import { named, storageOf } from "./names.ts";
import { readPickle } from "./pickle.ts";
import { type PickleValue, refuse, type StorageRecord } from "./values.ts";

/** Bytes of an entry in a zip directory, at least. */
const leastEntry = 46;

export function readZip(bytes: Uint8Array): Archive {
  const entries = listEntries(bytes);
  const folder = findFolder(entries);
  const one = (name: string): Uint8Array => extract(bytes, entries, new Set([name])).get(name)!;
  if (entries.has(`${folder}byteorder`)) checkByteOrder(one(`${folder}byteorder`));

  /** Throws unless the archive has all bytes of a storage, and no others. */
  const checkStorage = ({ key, dtype, length }: StorageRecord): void => {
    const needed = length * (dtype === undefined ? 1 : formats[dtype].bytes);
    const there = entries.get(`${folder}data/${key}`);
    if (there === undefined)
      refuse(`storage ${key} is not in the archive; was the file saved without its data?`);
    if (there !== needed) refuse(`storage ${key} needs ${needed} bytes, but the archive has ${there} of it.`);
  };
  const persistent = (id: PickleValue): PickleValue => {
    const { storage } = storageOf(id);
    checkStorage(storage);
    return storage;
  };
  return {
    container: "zip",
    root: readPickle(new ByteReader(one(`${folder}data.pkl`), "its data.pkl"), { named, persistent }),
    storages: (keys) => {
      const names = new Map([...keys].map((key) => [`${folder}data/${key}`, key]));
      const found = extract(bytes, entries, new Set(names.keys()));
      return new Map([...found].map(([name, data]) => [names.get(name)!, data]));
    },
  };
}

/** Names and sizes, all of which fit in the file: the library would believe any size that the directory claims. */
function listEntries(bytes: Uint8Array): Map<string, number> {
  const entries = new Map<string, number>();
  let total = 0;
  walk(bytes, ({ name, size, originalSize, compression }) => {
    // A damaged count would keep the library busy for minutes.
    const tooMany = (entries.size + 1) * leastEntry > bytes.length;
    if (name === "" || tooMany) refuse("its zip archive is damaged: the directory lists more than there is.");
    if (entries.has(name)) refuse(`its zip archive is damaged: it holds "${name}" twice.`);
    if (/\/code\/|\/constants\.pkl$/.test(name)) {
      refuse(
        "it is a TorchScript program; in Python, save the weights alone: torch.save(module.state_dict(), path).",
      );
    }
    if (compression !== 0 || size !== originalSize) {
      refuse(
        `its zip archive holds "${name}" compressed, as torch.save never does; pack it again with zip -0.`,
      );
    }
    total += size;
    if (total > bytes.length) {
      refuse(
        `its zip archive is cut off or damaged: "${name}" ends after the file, which has ${bytes.length} bytes.`,
      );
    }
    entries.set(name, size);
    return false;
  });
  return entries;
}

/** The folder in the archive that everything lies in, with a slash at its end. */
function findFolder(entries: ReadonlyMap<string, number>): string {
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) {
    refuse(`a zip archive of torch.save has one data.pkl in a folder; this one has ${pickles.length}.`);
  }
  return pickles[0]!.slice(0, -"data.pkl".length);
}

function checkByteOrder(record: Uint8Array): void {
  const order = new TextDecoder().decode(record);
  if (order !== "little") {
    refuse(
      `its numbers are stored ${JSON.stringify(order)}-endian; only little-endian is read. Save it again on a little-endian machine.`,
    );
  }
}

function extract(
  bytes: Uint8Array,
  entries: ReadonlyMap<string, number>,
  names: ReadonlySet<string>,
): Map<string, Uint8Array<ArrayBuffer>> {
  const files = new Map(Object.entries(walk(bytes, ({ name }) => names.has(name))));
  for (const name of names) {
    const [wanted, got] = [entries.get(name), files.get(name)?.length];
    if (wanted !== got) refuse(`its zip archive is cut off: "${name}" has ${got} of its ${wanted} bytes.`);
  }
  return files as Map<string, Uint8Array<ArrayBuffer>>;
}

/** The files that `filter` asks for. */
function walk(bytes: Uint8Array, filter: UnzipFileFilter): Unzipped {
  try {
    return unzipSync(bytes, { filter });
  } catch (error) {
    if (error instanceof CheckpointError || !(error instanceof Error)) throw error;
    return refuse(`its zip archive is cut off or damaged (${error.message}).`);
  }
}
