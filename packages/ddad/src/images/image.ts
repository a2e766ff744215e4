/** Images as plain bytes, and their conversion to and from what the network sees. */

/** An 8-bit image: rows from the top, pixels from the left, channels last (gray, or red green blue). */
export type Image = {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** `width · height · channels` bytes. */
  readonly data: Uint8Array;
};

/** Three bytes, 0 … 255; of gray images the first counts. */
export type Color = readonly [red: number, green: number, blue: number];

/** An image of one colour; black without one. */
export function createImage(width: number, height: number, channels: 1 | 3, color: Color = [0, 0, 0]): Image {
  const data = new Uint8Array(width * height * channels);
  if (color.some((value) => value !== 0)) {
    for (let i = 0; i < data.length; i++) data[i] = color[i % channels]!;
  }
  return { width, height, channels, data };
}

/** The image with three channels: gray is repeated. */
export function toRgb(image: Image): Image {
  if (image.channels === 3) return image;
  const data = new Uint8Array(image.data.length * 3);
  for (let i = 0; i < image.data.length; i++) data.fill(image.data[i]!, i * 3, i * 3 + 3);
  return { ...image, channels: 3, data };
}

/** `value[b]` is what byte b becomes: b / 255 · 2 − 1, rounded to float32 after each operation as torchvision does. */
const value = Float32Array.from({ length: 256 }, (_, byte) => Math.fround(Math.fround(byte / 255) * 2) - 1);

/** Writes bytes as float32 in [−1, 1] into `target` at `offset`, in the same order. */
export function bytesToPixels(bytes: Uint8Array, target: Float32Array, offset = 0): void {
  for (let i = 0; i < bytes.length; i++) target[offset + i] = value[bytes[i]!]!;
}

/** Pixels in [−1, 1], `[H, W, 3]`; gray is repeated to three channels. */
export function toPixels(image: Image): Float32Array {
  const { data } = toRgb(image);
  const pixels = new Float32Array(data.length);
  bytesToPixels(data, pixels);
  return pixels;
}

/** The image of pixels `[H, W, 3]` in [−1, 1]; what lies outside is clipped, not wrapped. */
export function fromPixels(pixels: ArrayLike<number>, width: number, height: number): Image {
  const count = width * height * 3;
  if (pixels.length !== count) {
    throw new RangeError(
      `fromPixels: a ${width}×${height} image has ${count} values, but ${pixels.length} were given.`,
    );
  }
  // A Uint8ClampedArray rounds to nearest and clips to 0 … 255.
  const clamped = Uint8ClampedArray.from({ length: count }, (_, i) => (pixels[i]! + 1) * 127.5);
  return { width, height, channels: 3, data: new Uint8Array(clamped.buffer) };
}
