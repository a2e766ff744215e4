/** Image files in Node. Everything after decoding works on bytes. */
import { readFileSync } from "node:fs";
import { DataError, decodeBmp, formatNames, type Image, imageFormat } from "@ddad/ddad/internal";
import { decodePng } from "./png.ts";
import { decodeWithSharp } from "./sharp.ts";

/**
 * Decodes an image to 8-bit gray or RGB as Pillow's `Image.open(…).convert("RGB")` does: colour profiles are not
 * applied, alpha is dropped, and an EXIF orientation does not turn it.
 *
 * @param name what to call the file in an error.
 * @throws DataError when the bytes are no such image, or a damaged one.
 */
export async function decodeImage(bytes: Uint8Array, name = "The image"): Promise<Image> {
  const format = imageFormat(bytes);
  if (format === undefined) {
    const content = bytes.length === 0 ? "is empty" : "is not an image that can be read";
    throw new DataError(`${name} ${content}: it must be ${formatNames}.`);
  }
  if (format === "PNG") return decodePng(bytes, name);
  if (format === "BMP") return decodeBmp(bytes, name);
  return decodeWithSharp(bytes, name, format);
}

/** Reads and decodes an image file. @throws DataError naming the file when it is missing or damaged. */
export async function readImage(path: string): Promise<Image> {
  return decodeImage(readBytes(path), path);
}

/** The bytes of an image file. @throws DataError naming it when they cannot be had. */
export function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "does not exist" : `cannot be read (${code})`;
    throw new DataError(`${path} ${reason}.`, { cause: error });
  }
}
