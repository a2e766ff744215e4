/**
 * A folder as people have them: names with spaces, umlauts and emoji, 16-bit PNG, gray, alpha, CMYK, EXIF, empty and damaged files, text
 * named `.png`, sub-folders, two sizes, a huge image, animations, HEIC. For tests of everything that reads folders.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import sharp, { type Sharp } from "sharp";

/** What `writeMessyFolder` has written, by paths below the folder. */
export type MessyFolder = {
  /** Files that can be read, with the size at which a viewer shows them. */
  readonly readable: Readonly<Record<string, { readonly width: number; readonly height: number }>>;
  /** Files that cannot be read, with a part of the sentence that says why. */
  readonly unreadable: Readonly<Record<string, string>>;
  /** Files that are no images, and are passed over. */
  readonly ignored: readonly string[];
};

/** How `writeMessyFolder` writes. */
export type MessyOptions = {
  /** Plain images beside the unusual ones. Default 12. */
  readonly plain?: number;
  /** Without the image of 24 megapixels, which takes a second or two. Default false. */
  readonly small?: boolean;
};

/** A tile with a pattern that differs from image to image; brighter at the top left, so that it shows how it is turned. */
function tile(width: number, height: number, seed: number): Sharp {
  const data = Buffer.alloc(width * height * 3);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const corner = x < width / 2 && y < height / 2 ? 60 : 0;
      const grain = (x * 31 + y * 17 + seed * 7) % 23;
      for (const value of [110, 100, 80]) data[i++] = value + corner + grain;
    }
  }
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/** Frames of an animation, one above the other. */
const frames = (seed: number): Sharp => {
  const data = Buffer.from(
    Array.from({ length: 32 * 96 * 3 }, (_, i) => 40 + seed + Math.floor(i / 3072) * 60),
  );
  return sharp(data, { raw: { width: 32, height: 96, channels: 3, pageHeight: 32 } });
};

/** Writes the folder; it must not exist, or be empty. */
export async function writeMessyFolder(folder: string, options: MessyOptions = {}): Promise<MessyFolder> {
  const { plain = 12, small = false } = options;
  const write = (name: string, bytes: Uint8Array | string): void => {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  };
  const readable: Record<string, { width: number; height: number }> = {};
  const image = async (name: string, bytes: Promise<Buffer>, width = 96, height = 96): Promise<void> => {
    write(name, await bytes);
    readable[name] = { width, height };
  };
  const one = (seed: number): Sharp => tile(96, 96, seed);

  for (let i = 0; i < plain; i++) {
    await image(`part_${String(i).padStart(3, "0")}.png`, one(i).png().toBuffer());
  }
  await image("part with spaces (1).png", one(20).png().toBuffer());
  await image("Prüfteil größer ß.png", one(21).png().toBuffer());
  await image("部品 🔩.png", one(22).png().toBuffer());
  await image("UPPER.JPG", one(23).jpeg({ quality: 95 }).toBuffer());
  await image("sixteen bit.png", one(24).toColourspace("rgb16").png().toBuffer());
  await image("gray.png", one(25).grayscale().png().toBuffer());
  await image("alpha.png", one(26).ensureAlpha(0.5).png().toBuffer());
  await image("cmyk.jpg", one(27).toColourspace("cmyk").jpeg({ quality: 95 }).toBuffer());
  await image("cmyk.tif", one(28).toColourspace("cmyk").tiff().toBuffer());
  await image("scan.tiff", one(29).tiff({ compression: "lzw" }).toBuffer());
  const turned = tile(96, 64, 30).jpeg({ quality: 95 }).withMetadata({ orientation: 6 });
  await image("phone, turned.jpg", turned.toBuffer(), 64, 96);
  await image("animated.webp", frames(1).webp({ lossless: true }).toBuffer(), 32, 32);
  await image("animated.gif", frames(2).gif().toBuffer(), 32, 32);
  await image("other camera/oblong.png", tile(320, 240, 31).png().toBuffer(), 320, 240);
  await image("other camera/2024-05-01/deep.png", one(32).png().toBuffer());
  if (!small) await image("huge 24MP.jpg", tile(6000, 4000, 33).jpeg().toBuffer(), 6000, 4000);

  const whole = await one(40).png().toBuffer();
  write("empty.png", "");
  write("text.png", "This is no image.\n");
  write("cut off.png", whole.subarray(0, Math.floor(whole.length / 2)));
  const photo = await one(41).jpeg().toBuffer();
  write("cut off.jpg", photo.subarray(0, Math.floor(photo.length / 2)));
  // The box that a HEIC file begins with, and nothing after it.
  write("IMG_0001.HEIC", Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic", "latin1"));
  write("IMG_0002.avif", Buffer.from("\0\0\0\x18ftypavif\0\0\0\0mif1avif", "latin1"));

  const ignored = ["notes.txt", "Thumbs.db", ".DS_Store", "._part_000.png"];
  for (const name of ignored) write(name, "no image");
  return {
    readable,
    unreadable: {
      "empty.png": "is empty",
      "text.png": "is not an image that can be read",
      "cut off.png": "is damaged",
      "cut off.jpg": "is damaged",
      "IMG_0001.HEIC": "is HEIC, which is not read: convert it to PNG or JPEG",
      "IMG_0002.avif": "is AVIF, which is not read: convert it to PNG or JPEG",
    },
    ignored,
  };
}
