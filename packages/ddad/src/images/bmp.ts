/** BMP files without compression, which is what cameras and Windows write. */
import { DataError } from "../errors.ts";
import { createImage, type Image } from "./image.ts";

/** Where the fields are (BITMAPFILEHEADER, then BITMAPINFOHEADER or one of its longer successors). */
const at = {
  pixels: 10,
  headerSize: 14,
  width: 18,
  height: 22,
  bitsPerPixel: 28,
  compression: 30,
  colors: 46,
  masks: 54,
};

/** Red, green and blue bits of a pixel of 16 or 32 bits, where the file names none. */
const usualMasks: { readonly [bits: number]: readonly number[] } = {
  16: [0x7c00, 0x03e0, 0x001f],
  32: [0xff0000, 0xff00, 0xff],
};

/**
 * Decodes a BMP with 1, 4, 8 (palette), 16, 24 or 32 bits a pixel to RGB; rows may run up or down. Alpha is dropped.
 *
 * @param name what to call the file in an error.
 * @throws DataError when the file is cut off, or compressed, or of a kind before Windows 3.
 */
export function decodeBmp(bytes: Uint8Array, name = "The image"): Image {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const cutOff = new DataError(`${name} is damaged and cannot be decoded as BMP (it ends too early).`);
  const unknown = (what: string): DataError =>
    new DataError(
      `${name} is a BMP with ${what}, which is not read; save it without compression, or as PNG.`,
    );
  if (bytes.length < at.masks) throw cutOff;
  const headerSize = view.getUint32(at.headerSize, true);
  const [width, signedHeight] = [view.getInt32(at.width, true), view.getInt32(at.height, true)];
  const height = Math.abs(signedHeight);
  const bits = view.getUint16(at.bitsPerPixel, true);
  const compression = view.getUint32(at.compression, true);
  if (headerSize < 40) throw unknown("an OS/2 header");
  if (compression !== 0 && compression !== 3 && compression !== 6)
    throw unknown(`compression ${compression}`);
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw unknown(`${bits} bits a pixel`);
  if (width < 1 || height < 1) {
    throw new DataError(`${name} is damaged and cannot be decoded as BMP (it has no pixels).`);
  }
  const start = view.getUint32(at.pixels, true);
  const stride = Math.ceil((width * bits) / 32) * 4;
  if (start + stride * height > bytes.length) throw cutOff;

  const image = createImage(width, height, 3);
  const pixel = pixelReader();
  for (let y = 0; y < height; y++) {
    const row = start + (signedHeight > 0 ? height - 1 - y : y) * stride;
    for (let x = 0; x < width; x++) pixel(row, x, (y * width + x) * 3);
  }
  return image;

  /** What puts pixel x of the row at an offset of the file where it belongs in the image. */
  function pixelReader(): (row: number, x: number, target: number) => void {
    const { data } = image;
    if (bits === 24) {
      return (row, x, target) => {
        for (let c = 0; c < 3; c++) data[target + c] = bytes[row + x * 3 + 2 - c]!;
      };
    }
    if (bits <= 8) {
      const palette = 14 + headerSize;
      const colors = view.getUint32(at.colors, true) || 2 ** bits;
      if (palette + colors * 4 > bytes.length) throw cutOff;
      return (row, x, target) => {
        const bit = x * bits;
        const index = (bytes[row + (bit >> 3)]! >> (8 - bits - (bit & 7))) & (2 ** bits - 1);
        // An index beyond the palette is black, as in other decoders.
        if (index < colors)
          for (let c = 0; c < 3; c++) data[target + c] = bytes[palette + index * 4 + 2 - c]!;
      };
    }
    const masks =
      compression === 0
        ? usualMasks[bits]!
        : [0, 1, 2].map((c) => (at.masks + 12 > bytes.length ? 0 : view.getUint32(at.masks + c * 4, true)));
    const channels = masks.map((mask) => {
      const shift = Math.max(31 - Math.clz32(mask & -mask), 0);
      return { mask, shift, largest: Math.max(mask >>> shift, 1) };
    });
    return (row, x, target) => {
      const value = bits === 16 ? view.getUint16(row + x * 2, true) : view.getUint32(row + x * 4, true);
      channels.forEach(({ mask, shift, largest }, c) => {
        data[target + c] = Math.round((((value & mask) >>> shift) * 255) / largest);
      });
    };
  }
}
