/** EXIF in images: reading the orientation that it holds, and taking it out, so that no decoder turns them by itself. */
import { imageFormat } from "./format.ts";

/** Tag of the orientation in TIFF's and EXIF's directories. */
const orientationTag = 0x0112;

/**
 * EXIF's number of the orientation of a JPEG, PNG, WebP or TIFF, from 1 to 8; 1 where there is none, or the file is damaged.
 */
export function exifOrientation(bytes: Uint8Array): number {
  const format = imageFormat(bytes);
  if (format === "TIFF") return orientationIn(bytes);
  const pieces =
    format === "JPEG"
      ? jpegSegments(bytes)
      : format === "PNG"
        ? pngChunks(bytes)
        : format === "WebP"
          ? webpChunks(bytes)
          : [];
  for (const { isExif, content, end } of pieces) {
    if (!isExif) continue;
    const tiff = textAt(bytes, content, 4) === "Exif" ? content + 6 : content;
    return orientationIn(bytes.subarray(tiff, end));
  }
  return 1;
}

/** The orientation in the first directory of a TIFF, which EXIF is, too. */
function orientationIn(tiff: Uint8Array): number {
  const little = textAt(tiff, 0, 2) === "II";
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  try {
    const big = view.getUint16(2, little) === 43;
    const directory = big ? Number(view.getBigUint64(8, little)) : view.getUint32(4, little);
    const count = big ? Number(view.getBigUint64(directory, little)) : view.getUint16(directory, little);
    const [first, size, value] = big ? [directory + 8, 20, 12] : [directory + 2, 12, 8];
    for (let at = first; at < first + count * size; at += size) {
      if (view.getUint16(at, little) !== orientationTag) continue;
      const orientation = view.getUint16(at + value, little);
      return orientation >= 1 && orientation <= 8 ? orientation : 1;
    }
  } catch (error) {
    // A directory that points outside of the file.
    if (!(error instanceof RangeError)) throw error;
  }
  return 1;
}

/** The parts of an image's file without its EXIF: of a JPEG or PNG; others are given back whole. */
export function withoutExif(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const format = imageFormat(bytes);
  const pieces = format === "JPEG" ? jpegSegments(bytes) : format === "PNG" ? pngChunks(bytes) : [];
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let kept = 0;
  for (const { start, end, isExif } of pieces) {
    if (!isExif) continue;
    parts.push(bytes.subarray(kept, start));
    kept = end;
  }
  return [...parts, bytes.subarray(kept)];
}

type Piece = {
  readonly start: number;
  /** Where its content begins, after marker or type and length. */
  readonly content: number;
  readonly end: number;
  readonly isExif: boolean;
};

const textAt = (bytes: Uint8Array, at: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(at, at + length));

/** The chunks of a WebP: four bytes of type, four of length, the content, filled up to an even length. */
function* webpChunks(bytes: Uint8Array): Generator<Piece> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let start = 12; start + 8 <= bytes.length; ) {
    const length = view.getUint32(start + 4, true);
    const isExif = textAt(bytes, start, 4) === "EXIF";
    yield { start, content: start + 8, end: start + 8 + length, isExif };
    start += 8 + length + (length % 2);
  }
}

/** The segments before the pixels: two bytes of marker, two of length, which counts itself. */
function* jpegSegments(bytes: Uint8Array): Generator<Piece> {
  const [app1, startOfScan] = [0xe1, 0xda];
  for (let start = 2; bytes[start] === 0xff && bytes[start + 1] !== startOfScan; ) {
    const end = start + 2 + (bytes[start + 2]! << 8) + bytes[start + 3]!;
    const isExif = bytes[start + 1] === app1 && textAt(bytes, start + 4, 4) === "Exif";
    yield { start, content: start + 4, end, isExif };
    start = end;
  }
}

/** The chunks: four bytes of length, four of type, the content, four of checksum. */
function* pngChunks(bytes: Uint8Array): Generator<Piece> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let start = 8; start + 12 <= bytes.length; ) {
    const end = start + 12 + view.getUint32(start);
    yield { start, content: start + 8, end, isExif: textAt(bytes, start + 4, 4) === "eXIf" };
    start = end;
  }
}
