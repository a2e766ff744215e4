/** Taking EXIF out of images, so that no decoder turns them by the orientation that it holds. */
import { imageFormat } from "./format.ts";

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

type Piece = { readonly start: number; readonly end: number; readonly isExif: boolean };

const textAt = (bytes: Uint8Array, at: number, length: number): string =>
  String.fromCharCode(...bytes.subarray(at, at + length));

/** The segments before the pixels: two bytes of marker, two of length, which counts itself. */
function* jpegSegments(bytes: Uint8Array): Generator<Piece> {
  const [app1, startOfScan] = [0xe1, 0xda];
  for (let start = 2; bytes[start] === 0xff && bytes[start + 1] !== startOfScan; ) {
    const end = start + 2 + (bytes[start + 2]! << 8) + bytes[start + 3]!;
    yield { start, end, isExif: bytes[start + 1] === app1 && textAt(bytes, start + 4, 4) === "Exif" };
    start = end;
  }
}

/** The chunks: four bytes of length, four of type, the content, four of checksum. */
function* pngChunks(bytes: Uint8Array): Generator<Piece> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let start = 8; start + 12 <= bytes.length; ) {
    const end = start + 12 + view.getUint32(start);
    yield { start, end, isExif: textAt(bytes, start + 4, 4) === "eXIf" };
    start = end;
  }
}
