/**
 * The directory of a zip archive, with 32-bit or 64-bit sizes and offsets. Only what lies uncompressed is read; nothing that
 * an archive claims is believed before it is checked against the size of the file.
 * https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
import type { ByteSource } from "../byteSource.ts";
import { plain } from "../words.ts";
import { refuse } from "./values.ts";

/** One file of an archive. */
export interface ZipEntry {
  readonly name: string;
  /** Bytes as stored. */
  readonly size: number;
  /** Whether the file lies there as it is: neither compressed nor encrypted. */
  readonly isPlain: boolean;
  /** Where its own header starts. */
  readonly header: number;
}

const directoryEntry = 46;
const fileHeader = 30;
const endRecord = 22;
const endRecord64 = 56;
const locator64 = 20;
/** The comment behind the directory has at most 65,535 bytes. */
const longestTail = endRecord + 65535;
/** A directory of a million files has about 100 MB. */
const largestDirectory = 2 ** 27;
const unknown16 = 0xffff;
const unknown32 = 0xffffffff;

function damaged(what: string): never {
  refuse(`its zip archive is damaged: ${what}.`);
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** 64 bits; above 2^53 not exact, but then larger than any file. */
const uint64 = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

interface Range {
  readonly start: number;
  readonly size: number;
  readonly count: number;
}

/** The files of an archive by name. */
export function readDirectory(source: ByteSource): Map<string, ZipEntry> {
  const { start, size, count } = findDirectory(source);
  if (start + size > source.size || size > largestDirectory) {
    refuse("its zip archive is cut off or damaged: the directory ends after the file.");
  }
  if (count * directoryEntry > size) damaged("the directory lists more than there is");
  const bytes = source.view(start, start + size);
  const view = viewOf(bytes);
  const entries = new Map<string, ZipEntry>();
  let total = 0;
  for (let i = 0, at = 0; i < count; i++) {
    if (at + directoryEntry > size || view.getUint32(at, true) !== 0x02014b50) {
      damaged("the directory lists more than there is");
    }
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) =>
      view.getUint16(at + field, true),
    );
    const extra = at + directoryEntry + nameLength!;
    const next = extra + extraLength! + commentLength!;
    if (next > size) damaged("the directory is cut off");
    const name = new TextDecoder().decode(bytes.subarray(at + directoryEntry, extra));
    const entry = readEntry(view, at, name, { start: extra, end: extra + extraLength! });
    if (entries.has(name)) damaged(`it holds "${plain(name)}" twice`);
    total += entry.size;
    if (total > source.size || entry.header + fileHeader > source.size) {
      refuse(
        `its zip archive is cut off or damaged: "${plain(name)}" ends after the file, which has ${source.size} bytes.`,
      );
    }
    entries.set(name, entry);
    at = next;
  }
  return entries;
}

/** Where the directory lies, as the end of the archive says. */
function findDirectory(source: ByteSource): Range {
  const tail = viewOf(source.view(Math.max(0, source.size - longestTail), source.size));
  let at = tail.byteLength - endRecord;
  while (at >= 0 && tail.getUint32(at, true) !== 0x06054b50) at--;
  if (at < 0) {
    refuse(
      "its zip archive is cut off: a zip archive ends with its directory, and this one has none. Download or save it again.",
    );
  }
  const count = tail.getUint16(at + 10, true);
  if (tail.getUint16(at + 8, true) !== count) damaged("its two counts of files differ");
  const [size, start] = [tail.getUint32(at + 12, true), tail.getUint32(at + 16, true)];
  const isLarge = count === unknown16 || size === unknown32 || start === unknown32;
  if (!isLarge || at < locator64 || tail.getUint32(at - locator64, true) !== 0x07064b50)
    return { start, size, count };
  const record = uint64(tail, at - locator64 + 8);
  if (record + endRecord64 > source.size) damaged("its 64-bit directory lies behind the end of the file");
  const large = viewOf(source.view(record, record + endRecord64));
  if (large.getUint32(0, true) !== 0x06064b50) damaged("its 64-bit directory is not where it should be");
  return { count: uint64(large, 32), size: uint64(large, 40), start: uint64(large, 48) };
}

/** One entry; sizes and offsets that do not fit into 32 bits are in its extra fields. */
function readEntry(
  view: DataView,
  at: number,
  name: string,
  extra: { readonly start: number; readonly end: number },
): ZipEntry {
  const large = extraField(view, extra);
  const field = (offset: number): number => {
    const value = view.getUint32(at + offset, true);
    if (value !== unknown32 || large === undefined) return value;
    if (large.at + 8 > large.end) damaged(`the size of "${plain(name)}" is missing`);
    large.at += 8;
    return uint64(view, large.at - 8);
  };
  const whole = field(24); // the order of the extra field
  const size = field(20);
  const header = field(42);
  const isPlain =
    view.getUint16(at + 10, true) === 0 && (view.getUint16(at + 8, true) & 1) === 0 && size === whole;
  return { name, size, isPlain, header };
}

/** The extra field of 64-bit numbers. */
function extraField(
  view: DataView,
  { start, end }: { readonly start: number; readonly end: number },
): { at: number; readonly end: number } | undefined {
  for (let at = start; at + 4 <= end; ) {
    const next = at + 4 + view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1 && next <= end) return { at: at + 4, end: next };
    at = next;
  }
  return undefined;
}

/** Where the bytes of a file start. */
export function locateData(source: ByteSource, { name, header, size }: ZipEntry): number {
  const view = viewOf(source.view(header, header + fileHeader));
  if (view.getUint32(0, true) !== 0x04034b50) damaged(`"${plain(name)}" is not where the directory says`);
  const start = header + fileHeader + view.getUint16(26, true) + view.getUint16(28, true);
  if (start + size > source.size) {
    refuse(
      `its zip archive is cut off: "${plain(name)}" needs bytes up to ${start + size}, the file has ${source.size}.`,
    );
  }
  return start;
}
