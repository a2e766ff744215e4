/** PNG files in Node. */
import { inflateSync } from "node:zlib";
import { DataError, type Image } from "@ddad/ddad/internal";
import { PNG } from "pngjs";
import { writeWhole } from "../files.ts";

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const grayTypes = [0, 4];

/**
 * Decodes a PNG of any kind to 8-bit gray or RGB.
 *
 * Gray (1 to 16 bits, with or without alpha) gives one channel, all else three. 16-bit samples are scaled to 8 by
 * 255/65535 and rounded; palettes are looked up; alpha is dropped, not blended, as Pillow's `convert("RGB")` does.
 *
 * @param name what to call the file in an error.
 * @throws DataError when the bytes are no PNG, or a damaged one.
 */
export function decodePng(bytes: Uint8Array, name = "The image"): Image {
  if (signature.some((byte, i) => bytes[i] !== byte)) {
    throw new DataError(`${name} is not a PNG file: it does not begin with the PNG signature.`);
  }
  try {
    const { width, height, data, colorType } = readPng(bytes);
    const channels = grayTypes.includes(colorType) ? 1 : 3;
    const pixels = new Uint8Array(width * height * channels);
    for (let i = 0; i < width * height; i++) {
      for (let c = 0; c < channels; c++) pixels[i * channels + c] = data[i * 4 + c]!;
    }
    return { width, height, channels, data: pixels };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DataError(`${name} is damaged and cannot be decoded as PNG (${reason}).`, { cause: error });
  }
}

/** pngjs, which gives RGBA whatever the file holds, plus the colour type of the header. */
function readPng(bytes: Uint8Array): PNG & { colorType: number } {
  const chunks = splitChunks(bytes);
  checkLength(chunks);
  // pngjs blackens the pixels of a transparent colour, so it does not get to see one.
  const opaque = chunks.filter((chunk) => chunk.type !== "tRNS");
  const file = Buffer.concat([Buffer.from(signature), ...opaque.map((chunk) => chunk.bytes)]);
  return PNG.sync.read(file) as PNG & { colorType: number };
}

/** A chunk: its four-letter type, all its bytes, and those between the header and the checksum. */
type Chunk = { type: string; bytes: Buffer; content: Buffer };

/** The chunks up to the last one, IEND; what follows it is ignored, as other decoders do. */
function splitChunks(bytes: Uint8Array): Chunk[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Chunk[] = [];
  let at = signature.length;
  while (at + 12 <= buffer.length) {
    const end = at + 12 + buffer.readUInt32BE(at);
    const type = buffer.toString("latin1", at + 4, at + 8);
    chunks.push({ type, bytes: buffer.subarray(at, end), content: buffer.subarray(at + 8, end - 4) });
    if (type === "IEND") return chunks;
    at = end;
  }
  throw new Error("it ends before its last chunk");
}

/** Pixels that are read at most, about as many as sharp reads of other formats: the bytes of a small file can name more. */
const maxPixels = 268e6;

const channelsOf = [1, 0, 3, 1, 2, 0, 4];

/** pngjs fills up pixel data that stop too early with whatever memory holds, so their length is checked first. */
function checkLength(chunks: Chunk[]): void {
  const header = chunks[0];
  if (header?.type !== "IHDR" || header.content.length !== 13) throw new Error("it has no header");
  const [width, height] = [header.content.readUInt32BE(0), header.content.readUInt32BE(4)];
  if (width === 0 || height === 0) throw new Error("it has no pixels");
  if (width * height > maxPixels)
    throw new Error(
      `it has ${width} × ${height} pixels, more than the ${maxPixels / 1e6} million that are read`,
    );
  const [depth, colorType, , , interlaced] = header.content.subarray(8);
  const rowBits = width * depth! * (channelsOf[colorType!] ?? 0);
  const expected = (Math.ceil(rowBits / 8) + 1) * height;
  const pixels = chunks.filter((chunk) => chunk.type === "IDAT").map((chunk) => chunk.content);
  // Interlaced rows are shorter and more: twice the bytes are enough for them. A file that unpacks to more is damaged, or meant to fill memory.
  const maxOutputLength = expected * 2 + 2 ** 20;
  const found = unpackedLength(Buffer.concat(pixels), maxOutputLength);
  // Interlaced rows come in seven passes, which pngjs does count.
  if (!interlaced && found < expected) throw new Error(`it has ${found} of ${expected} bytes of pixels`);
}

function unpackedLength(pixels: Buffer, maxOutputLength: number): number {
  try {
    return inflateSync(pixels, { maxOutputLength }).length;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_BUFFER_TOO_LARGE") throw cause;
    throw new Error("it unpacks to more than its pixels take", { cause });
  }
}

/** Encodes gray or RGB as an 8-bit PNG. */
export function encodePng({ width, height, channels, data }: Image): Uint8Array {
  const png = new PNG({ width, height });
  const colorType = channels === 1 ? 0 : 2;
  png.data = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return PNG.sync.write(png, { inputColorType: colorType, colorType, bitDepth: 8, inputHasAlpha: false });
}

/**
 * Writes a PNG file, whole or not at all, and its folder.
 *
 * @param path of the file
 * @param image 8-bit values of one or three channels
 * @throws DataError where the file cannot be written
 */
export const writeImage = (path: string, image: Image): void => writeWhole(path, encodePng(image));
