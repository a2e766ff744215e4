/** JPEG, TIFF, WebP and GIF in Node, by sharp. It is loaded when the first of them is read, and need not be installed before. */
import { DataError, type Image } from "@ddad/ddad/internal";

type Sharp = typeof import("sharp").default;

/** Kinds of numbers by libvips' names, for people. */
const numbers: { readonly [depth: string]: string } = {
  ...{ char: "signed 8-bit", short: "signed 16-bit", int: "signed 32-bit", uint: "32-bit" },
  ...{ float: "floating-point", double: "floating-point", complex: "complex", dpcomplex: "complex" },
};

/**
 * Decodes an image to 8-bit gray or RGB: the samples that the file holds, untouched by colour profiles and not turned
 * by an EXIF orientation, which is what Pillow's `Image.open` gives. 16-bit samples are scaled to 8 by 255/65535 and
 * rounded, alpha is dropped, and of several frames or pages the first is taken. CMYK and YCCK are converted to RGB, by the
 * colour profile in the file or, where it holds none, a usual one.
 *
 * @param format what to call it in an error.
 * @param options `load` gives sharp; `onNotice` is called where there are several frames.
 * @throws DataError when sharp is not installed, or the image is damaged or of another kind of numbers or colours.
 */
export async function decodeWithSharp(
  bytes: Uint8Array,
  name: string,
  format: string,
  options: {
    readonly load?: () => Promise<Sharp>;
    readonly onNotice?: ((message: string) => void) | undefined;
  } = {},
): Promise<Image> {
  const { load = async () => (await import("sharp")).default, onNotice } = options;
  const sharp = await load().catch((cause: unknown) => {
    throw new DataError(
      `${name} is a ${format}, which needs the package sharp: install it with npm install sharp, or convert the image to PNG or BMP.`,
      { cause },
    );
  });
  const failed = (cause: unknown): never => {
    const reason = (cause instanceof Error ? cause.message : String(cause)).split("\n")[0]!;
    throw new DataError(`${name} is damaged and cannot be decoded as ${format} (${reason}).`, { cause });
  };
  const stored = sharp(bytes, { failOn: "error", ignoreIcc: true });
  const { space = "unknown", depth = "unknown", pages = 1 } = await stored.metadata().catch(failed);
  const gray = space === "b-w" || space === "grey16";
  const cmyk = space === "cmyk";
  if (
    (!gray && !cmyk && space !== "srgb" && space !== "rgb16") ||
    (depth !== "uchar" && depth !== "ushort")
  ) {
    const colours = gray ? "gray" : space === "srgb" || space === "rgb16" ? "RGB" : space;
    throw new DataError(
      `${name} is an image of ${numbers[depth] ?? depth} numbers in ${colours}; save it as gray or RGB with 8 or 16 bits.`,
    );
  }
  if (pages > 1)
    onNotice?.(`${name} has ${pages} ${format === "TIFF" ? "pages" : "frames"}: the first is used`);
  // To the space that it has already: without this gray would become RGB, and 16 bits 8 in sharp's own way.
  const [input, target, kind] = cmyk
    ? [sharp(bytes, { failOn: "error" }), "srgb", "uchar" as const]
    : [stored, space, depth];
  const raw = input.toColourspace(target).raw({ depth: kind });
  const { data, info } = await raw.toBuffer({ resolveWithObject: true }).catch(failed);
  const { width, height } = info;
  const wide = kind === "ushort";
  const samples = wide ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
  const channels = gray ? 1 : 3;
  const stride = samples.length / (width * height);
  if (!wide && stride === channels)
    return { width, height, channels, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
  const pixels = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < channels; c++) {
      const sample = samples[i * stride + c]!;
      pixels[i * channels + c] = wide ? Math.round(sample / 257) : sample;
    }
  }
  return { width, height, channels, data: pixels };
}
