/** Builds files like those of torch.save, byte by byte, so that tests can also build what torch.save never would. */
import { zipSync } from "fflate";

/** Bytes, texts (as latin-1) and nested lists of them, one after another. */
export type Part = number | string | Uint8Array | readonly Part[];

export function bytes(...parts: Part[]): Uint8Array {
  const flat = (part: Part): number[] => {
    if (typeof part === "number") return [part];
    if (typeof part === "string") return Array.from(part, (character) => character.charCodeAt(0));
    return part instanceof Uint8Array ? [...part] : part.flatMap(flat);
  };
  return Uint8Array.from(flat(parts));
}

/** `value` in `count` little-endian bytes. */
export const little = (value: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.floor(value / 256 ** i) % 256);

// The instructions that files are built from; each leaves one value on the stack.
export const text = (value: string): Part => ["X", little(value.length, 4), value];
export const integer = (value: number): Part => ["J", little(value, 4)];
export const tuple = (...values: Part[]): Part => ["(", values, "t"];
export const dict = (...items: readonly (readonly [string, Part])[]): Part => [
  "}(",
  items.map(([key, value]) => [text(key), value]),
  "u",
];
export const named = (module: string, name: string): Part => ["c", module, "\n", name, "\n"];
export const call = (made: Part, ...args: Part[]): Part => [made, tuple(...args), "R"];
export const pickle = (value: Part): Uint8Array => bytes(0x80, 2, value, ".");

/** The persistent id of a storage. */
export const storage = (key: string, length: number, type = "FloatStorage"): Part => [
  tuple(text("storage"), named("torch", type), text(key), text("cpu"), integer(length)),
  "Q",
];

export interface TensorParts {
  readonly storage?: Part;
  readonly offset?: number;
  readonly shape?: readonly number[];
  readonly strides?: readonly number[];
}

/** A tensor; by default two floats, all of storage 0. */
export const tensor = (parts: TensorParts = {}): Part =>
  call(
    named("torch._utils", "_rebuild_tensor_v2"),
    parts.storage ?? storage("0", 2),
    integer(parts.offset ?? 0),
    tuple(...(parts.shape ?? [2]).map(integer)),
    tuple(...(parts.strides ?? [1]).map(integer)),
    0x89,
    call(named("collections", "OrderedDict")),
  );

export const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

/** The newer container. */
export const zipFile = (
  root: Part,
  storages: Readonly<Record<string, Uint8Array>> = { 0: floats(1, 2) },
  records: Readonly<Record<string, Uint8Array>> = {},
): Uint8Array => {
  const files = { "data.pkl": pickle(root), ...records };
  const data = Object.entries(storages).map(([key, value]) => [`data/${key}`, value] as const);
  const named = [...Object.entries(files), ...data].map(([name, value]) => [`model/${name}`, value] as const);
  return zipSync(Object.fromEntries(named), { level: 0 });
};

const magic = bytes(0x8a, 10, [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]);

export interface LegacyParts {
  readonly magic?: Part;
  readonly version?: number;
  readonly littleEndian?: boolean;
  /** Elements that a storage claims to have before its bytes; default: bytes / 4. */
  readonly length?: number;
}

/** The older container. */
export const legacyFile = (
  root: Part,
  storages: Readonly<Record<string, Uint8Array>> = { 0: floats(1, 2) },
  parts: LegacyParts = {},
): Uint8Array =>
  bytes(
    pickle(parts.magic ?? magic),
    pickle(integer(parts.version ?? 1001)),
    pickle(dict(["little_endian", parts.littleEndian === false ? 0x89 : 0x88])),
    pickle(root),
    pickle(["](", Object.keys(storages).map(text), "e"]),
    Object.values(storages).map((data) => [little(parts.length ?? data.length / 4, 8), data]),
  );

/** The same archive with a directory of 64-bit sizes and offsets, as archives beyond 4 GiB have it. */
export function toZip64(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const end = file.length - 22;
  const count = view.getUint16(end + 10, true);
  const start = view.getUint32(end + 16, true);
  const unknown = little(2 ** 32 - 1, 4);
  const entries: Part[] = [];
  for (let i = 0, at = start; i < count; i++) {
    const nameLength = view.getUint16(at + 28, true);
    const name = file.subarray(at + 46, at + 46 + nameLength);
    const [size, offset] = [view.getUint32(at + 24, true), view.getUint32(at + 42, true)];
    const extra = [little(1, 2), little(24, 2), little(size, 8), little(size, 8), little(offset, 8)];
    entries.push([
      file.subarray(at, at + 20),
      [unknown, unknown, little(nameLength, 2), little(28, 2), little(0, 2)],
      file.subarray(at + 34, at + 42),
      [unknown, name, extra],
    ]);
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  const directory = bytes(entries);
  const record = [
    ["PK", 6, 6, little(44, 8), little(45, 2), little(45, 2), little(0, 8)],
    [little(count, 8), little(count, 8), little(directory.length, 8), little(start, 8)],
  ];
  const locator = ["PK", 6, 7, little(0, 4), little(start + directory.length, 8), little(1, 4)];
  const last = [
    "PK",
    5,
    6,
    little(0, 4),
    little(0xffff, 2),
    little(0xffff, 2),
    unknown,
    unknown,
    little(0, 2),
  ];
  return bytes(file.subarray(0, start), directory, record, locator, last);
}
