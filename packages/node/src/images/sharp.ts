/** JPEG, TIFF and WebP in Node, by sharp. It is loaded when the first of them is read, and need not be installed before. */
import { DataError, type Image } from "@ddad/ddad/internal";

type Sharp = typeof import("sharp").default;

/**
 * Decodes an image to 8-bit gray or RGB: the samples that the file holds, untouched by colour profiles and not turned
 * by an EXIF orientation, which is what Pillow's `Image.open` gives. 16-bit samples are scaled to 8 by 255/65535 and
 * rounded, alpha is dropped, and of several pages the first is taken.
 *
 * @param format what to call it in an error.
 * @param load gives sharp.
 * @throws DataError when sharp is not installed, or the image is damaged or of another kind of numbers or colours.
 */
export async function decodeWithSharp(
  bytes: Uint8Array,
  name: string,
  format: string,
  load: () => Promise<Sharp> = async () => (await import("sharp")).default,
): Promise<Image> {
  const sharp = await load().catch((cause: unknown) => {
    throw new DataError(
      `${name} is a ${format}, which needs the package sharp: install it with npm install sharp, or convert the image to PNG or BMP.`,
      { cause },
    );
  });
  const input = sharp(bytes, { failOn: "error", ignoreIcc: true });
  const failed = (cause: unknown): never => {
    const reason = (cause instanceof Error ? cause.message : String(cause)).split("\n")[0]!;
    throw new DataError(`${name} is damaged and cannot be decoded as ${format} (${reason}).`, { cause });
  };
  const { space = "unknown", depth = "unknown" } = await input.metadata().catch(failed);
  const gray = space === "b-w" || space === "grey16";
  if ((!gray && space !== "srgb" && space !== "rgb16") || (depth !== "uchar" && depth !== "ushort")) {
    throw new DataError(
      `${name} has ${space} colours in ${depth} numbers; save it as gray or RGB with 8 or 16 bits.`,
    );
  }
  // To the space that it has already: without this gray would become RGB, and 16 bits 8 in sharp's own way.
  const raw = input.toColourspace(space).raw({ depth });
  const { data, info } = await raw.toBuffer({ resolveWithObject: true }).catch(failed);
  const { width, height } = info;
  const wide = depth === "ushort";
  const samples = wide ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
  const channels = gray ? 1 : 3;
  const stride = samples.length / (width * height);
  const pixels = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < channels; c++) {
      const sample = samples[i * stride + c]!;
      pixels[i * channels + c] = wide ? Math.round(sample / 257) : sample;
    }
  }
  return { width, height, channels, data: pixels };
}
