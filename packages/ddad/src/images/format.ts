/** Image formats, recognised by the first bytes of a file, not by its name. */

/** Image formats that are read. */
export type ImageFormat = "PNG" | "JPEG" | "BMP" | "TIFF" | "WebP" | "GIF";

/** Endings of image files, in lower case. */
export const imageExtensions: readonly string[] = [
  ...[".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif"],
];

/** Endings of image files that are not read, and must not be passed over in silence. */
export const foreignExtensions: readonly string[] = [
  ...[".heic", ".heif", ".avif", ".jp2", ".jxl", ".ppm", ".pgm", ".pbm"],
  ...[".exr", ".hdr", ".raw", ".dng", ".cr2", ".nef", ".psd", ".tga", ".svg"],
];

/** The formats for a sentence. */
export const formatNames = "PNG, JPEG, BMP, TIFF, WebP or GIF";

/** What files begin with, as bytes; `undefined` may be any. */
const signatures: readonly (readonly [ImageFormat, readonly (number | undefined)[]])[] = [
  ["PNG", [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ["JPEG", [0xff, 0xd8, 0xff]],
  ["BMP", [0x42, 0x4d]],
  ["TIFF", [0x49, 0x49, 0x2a, 0x00]],
  ["TIFF", [0x4d, 0x4d, 0x00, 0x2a]],
  ["TIFF", [0x49, 0x49, 0x2b, 0x00]],
  ["TIFF", [0x4d, 0x4d, 0x00, 0x2b]],
  ["GIF", [0x47, 0x49, 0x46, 0x38]],
  ["WebP", [0x52, 0x49, 0x46, 0x46, ...Array<undefined>(4).fill(undefined), 0x57, 0x45, 0x42, 0x50]],
];

/** The format of a file by its first bytes; undefined where it is none of these. */
export function imageFormat(bytes: Uint8Array): ImageFormat | undefined {
  const fits = (signature: readonly (number | undefined)[]): boolean =>
    signature.every((byte, i) => byte === undefined || byte === bytes[i]);
  return signatures.find(([, signature]) => fits(signature))?.[0];
}

/** Brands of the formats of phones that are not read, as their files begin with them. */
const brands: { readonly [brand: string]: "HEIC" | "AVIF" } = {
  ...{ heic: "HEIC", heix: "HEIC", heim: "HEIC", hevc: "HEIC", mif1: "HEIC", msf1: "HEIC" },
  ...{ avif: "AVIF", avis: "AVIF" },
};

/** What is wrong with a file that is in none of the formats, and what to do. @param name what to call it */
export function describeForeign(bytes: Uint8Array, name: string): string {
  if (bytes.length === 0) return `${name} is empty: it must be ${formatNames}.`;
  const text = String.fromCharCode(...bytes.subarray(4, 12));
  const brand = text.startsWith("ftyp") ? brands[text.slice(4)] : undefined;
  if (brand === undefined) return `${name} is not an image that can be read: it must be ${formatNames}.`;
  const phone = brand === "HEIC" ? "; a phone takes JPEG if its camera is set to most compatible" : "";
  return `${name} is ${brand}, which is not read: convert it to PNG or JPEG${phone}.`;
}
