/**
 * Finds reference data, small ones here in `golden/`, the rest beside the repository, and reads their `.npz` archives. Tests
 * skip without them, saying why.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Context } from "mocha";

export type NpzArray = {
  shape: number[];
  data: Float32Array | Float64Array | Int32Array | Uint8Array;
};

const here = dirname(fileURLToPath(import.meta.url));
const roots = [here, process.env["DDAD_SHARED"] ?? resolve(here, "../../../../shared")];

/** Path of a reference file or folder, for example `shared("golden", "schedule.npz")`, or undefined where it is absent. */
export function shared(...parts: string[]): string | undefined {
  return roots.map((root) => join(root, ...parts)).find(existsSync);
}

/** Like `shared`, but skips the running test (or the suite, from a `before` hook) with a printed reason. */
export function sharedOrSkip(test: Context, ...parts: string[]): string {
  const path = shared(...parts);
  if (path !== undefined) return path;
  console.log(`    skipped: no ${parts.join("/")} (set DDAD_SHARED to the folder of reference data)`);
  return test.skip();
}

/** Reads an archive of arrays: a zip of stored entries `<key>.npy`, C order, dtypes `<f4`, `<f8`, `<i4`, `|u1`. */
export function readNpz(path: string): Map<string, NpzArray> {
  const bytes = readFileSync(path);
  let end = bytes.length - 22;
  while (bytes.readUInt32LE(end) !== 0x06054b50) end--;
  const count = bytes.readUInt16LE(end + 10);
  let at = bytes.readUInt32LE(end + 16);
  const arrays = new Map<string, NpzArray>();
  for (let i = 0; i < count; i++) {
    if (bytes.readUInt16LE(at + 10) !== 0) throw new Error(`${path} has compressed entries.`);
    const size = bytes.readUInt32LE(at + 24);
    const nameLength = bytes.readUInt16LE(at + 28);
    const header = bytes.readUInt32LE(at + 42);
    const name = bytes.toString("utf8", at + 46, at + 46 + nameLength);
    const start = header + 30 + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28);
    arrays.set(name.replace(/\.npy$/, ""), parseNpy(bytes.subarray(start, start + size)));
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return arrays;
}

/** The entry of an archive, typed; fails by name when it is missing or of another type. */
export function entry<T extends NpzArray["data"]>(
  arrays: Map<string, NpzArray>,
  key: string,
  type: { new (n: number): T; name: string },
): { shape: number[]; data: T } {
  const array = arrays.get(key);
  if (!array) throw new Error(`The archive has no entry "${key}".`);
  if (!(array.data instanceof type)) throw new Error(`The entry "${key}" is no ${type.name}.`);
  return { shape: array.shape, data: array.data };
}

function parseNpy(bytes: Buffer): NpzArray {
  const wide = bytes[6] !== 1;
  const headerLength = wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8);
  const headerStart = wide ? 12 : 10;
  const header = bytes.toString("latin1", headerStart, headerStart + headerLength);
  const type = /'descr': '([^']+)'/.exec(header)?.[1];
  const shape = /'shape': \(([^)]*)\)/.exec(header)?.[1];
  if (type === undefined || shape === undefined || header.includes("'fortran_order': True")) {
    throw new Error(`An entry has a header that is not understood: ${header}`);
  }
  const raw = bytes.subarray(headerStart + headerLength);
  const buffer = raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length) as ArrayBuffer;
  const dimensions = shape
    .split(",")
    .filter((text) => text.trim() !== "")
    .map(Number);
  return { shape: dimensions, data: typedArray(type, buffer) };
}

function typedArray(type: string, buffer: ArrayBuffer): NpzArray["data"] {
  if (type === "<f4") return new Float32Array(buffer);
  if (type === "<f8") return new Float64Array(buffer);
  if (type === "<i4") return new Int32Array(buffer);
  if (type === "|u1") return new Uint8Array(buffer);
  throw new Error(`Unknown entry type ${type}.`);
}
