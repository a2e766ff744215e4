/** Image formats, recognised by the first bytes of a file, not by its name. */

/** Image formats that are read. */
export type ImageFormat = "PNG" | "JPEG" | "BMP" | "TIFF" | "WebP";

/** Endings of image files, in lower case. */
export const imageExtensions: readonly string[] = [".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"];

/** Endings of image files that are not read, and must not be passed over in silence. */
export const foreignExtensions: readonly string[] = [
  ...[".gif", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".ppm", ".pgm", ".pbm"],
  ...[".exr", ".hdr", ".raw", ".dng", ".cr2", ".nef", ".psd", ".tga", ".svg"],
];

/** The formats for a sentence. */
export const formatNames = "PNG, JPEG, BMP, TIFF or WebP";

/** What files begin with, as bytes; `undefined` may be any. */
const signatures: readonly (readonly [ImageFormat, readonly (number | undefined)[]])[] = [
  ["PNG", [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ["JPEG", [0xff, 0xd8, 0xff]],
  ["BMP", [0x42, 0x4d]],
  ["TIFF", [0x49, 0x49, 0x2a, 0x00]],
  ["TIFF", [0x4d, 0x4d, 0x00, 0x2a]],
  ["TIFF", [0x49, 0x49, 0x2b, 0x00]],
  ["TIFF", [0x4d, 0x4d, 0x00, 0x2b]],
  ["WebP", [0x52, 0x49, 0x46, 0x46, ...Array<undefined>(4).fill(undefined), 0x57, 0x45, 0x42, 0x50]],
];

/** The format of a file by its first bytes; undefined where it is none of these. */
export function imageFormat(bytes: Uint8Array): ImageFormat | undefined {
  const fits = (signature: readonly (number | undefined)[]): boolean =>
    signature.every((byte, i) => byte === undefined || byte === bytes[i]);
  return signatures.find(([, signature]) => fits(signature))?.[0];
}
