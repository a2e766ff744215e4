/** Image files in Node. Everything after decoding works on bytes. */
import { readFileSync, statSync } from "node:fs";
import {
  DataError,
  decodeBmp,
  describeForeign,
  type Image,
  imageFormat,
  type Orientation,
  oriented,
} from "@ddad/ddad/internal";
import { decodePng } from "./png.ts";
import { decodeWithSharp } from "./sharp.ts";

/** How files become images. */
export type DecodeOptions = {
  /** "exif" (default) turns an image as a viewer shows it; "stored" leaves it. A model's is `config.data.orientation`. */
  readonly orientation?: Orientation | undefined;
  /** Called with a sentence where a file holds more than is read, such as several frames. */
  readonly onNotice?: ((message: string) => void) | undefined;
};

/**
 * Decodes an image to 8-bit gray or RGB as Pillow's `Image.open(…).convert("RGB")` does: colour profiles are not
 * applied and alpha is dropped; of several frames the first is taken. CMYK becomes RGB.
 *
 * @param bytes of a file: PNG or BMP; with the package sharp also JPEG, TIFF, WebP or GIF
 * @param name what to call the file in an error
 * @returns the image as a viewer shows it, unless `orientation` says otherwise
 * @throws DataError when the bytes are no such image, or a damaged one
 */
export async function decodeImage(
  bytes: Uint8Array,
  name = "The image",
  { orientation = "exif", onNotice }: DecodeOptions = {},
): Promise<Image> {
  const format = imageFormat(bytes);
  if (format === undefined) throw new DataError(describeForeign(bytes, name));
  if (format === "BMP") return decodeBmp(bytes, name);
  const image =
    format === "PNG" ? decodePng(bytes, name) : await decodeWithSharp(bytes, name, format, { onNotice });
  return oriented(image, bytes, orientation);
}

/**
 * Reads and decodes an image file.
 *
 * @param path of the file
 * @returns the image, as `decodeImage` gives it
 * @throws DataError naming the file when it is missing or damaged
 */
export async function readImage(path: string, options: DecodeOptions = {}): Promise<Image> {
  return decodeImage(readBytes(path), path, options);
}

/** The bytes of an image file. @throws DataError naming it when they cannot be had. */
export function readBytes(path: string): Uint8Array {
  try {
    if (!statSync(path).isFile()) throw new DataError(`${path} is not a file; pass an image.`);
    return readFileSync(path);
  } catch (error) {
    if (error instanceof DataError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "does not exist" : `cannot be read (${code})`;
    throw new DataError(`${path} ${reason}.`, { cause: error });
  }
}
