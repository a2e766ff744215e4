/**
 * The container of torch.save since 1.6: a zip archive of stored files `name/data.pkl`, `name/byteorder` (since 2.1) and one
 * `name/data/<key>` for each storage, uncompressed.
 */
import type { ByteSource } from "../byteSource.ts";
import { formats } from "../formats.ts";
import { plain } from "../words.ts";
import type { Archive } from "./archive.ts";
import { ByteReader } from "./byteReader.ts";
import { named, storageOf } from "./names.ts";
import { readPickle } from "./pickle.ts";
import { type PickleValue, refuse, StorageRecord } from "./values.ts";
import { locateData, readDirectory, type ZipEntry } from "./zipDirectory.ts";

export function readZip(source: ByteSource): Archive {
  const entries = readDirectory(source);
  const folder = findFolder(entries);
  const starts = new Map<string, number>();
  /** Where a file of the archive starts. */
  const startOf = (entry: ZipEntry): number => {
    const start = starts.get(entry.name) ?? locateData(source, entry);
    starts.set(entry.name, start);
    return start;
  };
  const view = (name: string): Uint8Array => {
    const entry = plainEntry(entries, name)!;
    const start = startOf(entry);
    return source.view(start, start + entry.size);
  };
  if (entries.has(`${folder}byteorder`)) checkByteOrder(view(`${folder}byteorder`));

  /** Throws unless the archive has all bytes of a storage, and no others. */
  const checkStorage = ({ key, dtype, length }: StorageRecord): void => {
    const there = plainEntry(entries, `${folder}data/${key}`)?.size;
    if (there === undefined)
      refuse(`storage ${plain(key)} is not in the archive; was the file saved without its data?`);
    if (dtype === "other") return;
    const needed = length * (dtype === undefined ? 1 : formats[dtype].bytes);
    if (there !== needed)
      refuse(`storage ${plain(key)} needs ${needed} bytes, but the archive has ${there} of it.`);
  };
  const persistent = (id: PickleValue): PickleValue => {
    const found = storageOf(id);
    if (!(found instanceof StorageRecord)) return found;
    checkStorage(found);
    return found;
  };
  return {
    container: "zip",
    root: readPickle(new ByteReader(view(`${folder}data.pkl`), "its data.pkl"), { named, persistent }),
    storageBytes: (key, start, end) => {
      const first = startOf(entries.get(`${folder}data/${key}`)!);
      return source.read(first + start, first + end);
    },
  };
}

/** A file of the archive, if it is there. */
function plainEntry(entries: ReadonlyMap<string, ZipEntry>, name: string): ZipEntry | undefined {
  const entry = entries.get(name);
  if (entry && !entry.isPlain) {
    refuse(
      `its zip archive holds "${plain(name)}" compressed, as torch.save never does; pack it again with zip -0.`,
    );
  }
  return entry;
}

/** The folder in the archive that everything lies in, with a slash at its end. */
function findFolder(entries: ReadonlyMap<string, ZipEntry>): string {
  const names = [...entries.keys()];
  if (names.some((name) => /\/code\/|\/constants\.pkl$/.test(name))) {
    refuse(
      "it is a TorchScript program; in Python, save the weights alone: torch.save(module.state_dict(), path).",
    );
  }
  const pickles = names.filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) {
    refuse(
      `a zip archive of torch.save has one data.pkl in a folder; this one has ${pickles.length}${otherArchive(names)}.`,
    );
  }
  return pickles[0]!.slice(0, -"data.pkl".length);
}

/** What an archive is that torch.save did not write. */
function otherArchive(names: readonly string[]): string {
  const weights = names.find((name) => /\.(pth|pt|ckpt|safetensors|bin)$/i.test(name));
  if (weights !== undefined) return `. Unpack it, and pass "${plain(weights)}" inside`;
  if (names.length > 0 && names.every((name) => name.endsWith(".npy"))) {
    return ": it is a NumPy archive (.npz). In Python, save it with safetensors.numpy.save_file(dict(numpy.load(path)), out)";
  }
  if (names.some((name) => name.endsWith(".weights.h5")))
    return ": it is a model of Keras, which is not read";
  return names.length > 0 ? `: it holds ${names.slice(0, 3).map(plain).join(", ")}` : "";
}

function checkByteOrder(record: Uint8Array): void {
  const order = plain(new TextDecoder().decode(record.subarray(0, 100)));
  if (order !== "little") {
    refuse(
      `its numbers are stored "${order}"-endian; only little-endian is read. Save it again on a little-endian machine.`,
    );
  }
}
