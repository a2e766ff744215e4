/** Image files in a browser, decoded by the browser itself; the resize stays this package's, so it is the same everywhere. */
import { DataError } from "../errors.ts";
import { withoutExif } from "./exif.ts";
import { describeForeign, formatNames, imageFormat } from "./format.ts";
import type { Image } from "./image.ts";
import { type Orientation, oriented } from "./orientation.ts";

/**
 * Decodes an image to 8-bit RGB, a gray one with three equal channels, which resizes to the same bytes. As in Node,
 * colour profiles are not applied, and an EXIF orientation turns it as the option says. Which formats there are the browser says: all
 * know PNG, JPEG, BMP and WebP, few TIFF. PNG, BMP and lossless WebP with 8 bits give the bytes that Node gives; a JPEG
 * is rounded by each decoder in its own way.
 *
 * @param name what to call the file in an error.
 * @param options `orientation` "exif" (default) turns the image as a viewer shows it; "stored" leaves it. Take `config.data.orientation`
 *   of the model that inspects it.
 * @throws DataError when the browser cannot decode it, or when it has transparent pixels: a browser multiplies their
 *   colours by their alpha, which does not come undone.
 */
export async function decodeBlob(
  blob: Blob,
  name = "The image",
  { orientation = "exif" }: { readonly orientation?: Orientation | undefined } = {},
): Promise<Image> {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  // Chromium turns images by their EXIF orientation, `imageOrientation: "none"` or not.
  const unturned = new Blob(withoutExif(bytes));
  const bitmap = await createImageBitmap(unturned, {
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
    imageOrientation: "none",
  }).catch((cause: unknown) => {
    const reason = imageFormat(bytes) ? undefined : describeForeign(bytes, name);
    throw new DataError(reason ?? `${name} cannot be decoded by this browser; it should be ${formatNames}.`, {
      cause,
    });
  });
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (canvas === null) throw new Error("decodeBlob: this browser has no two-dimensional OffscreenCanvas.");
  canvas.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data: rgba } = canvas.getImageData(0, 0, width, height);
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    if (rgba[i * 4 + 3] !== 255) {
      throw new DataError(
        `${name} has transparent pixels, whose colours a browser does not keep; save it without alpha.`,
      );
    }
    for (let c = 0; c < 3; c++) data[i * 3 + c] = rgba[i * 4 + c]!;
  }
  return oriented({ width, height, channels: 3, data }, bytes, orientation);
}
