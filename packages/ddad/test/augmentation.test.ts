/** Augmentation: what it may do to an image, that it does it by chance alone, and that a training sees its images so. */
import { expect } from "chai";
import { type Augmentation, augment, augmentations } from "../src/data/augmentation.ts";

const size = 5;
const original = Float32Array.from(
  { length: size * size * 3 },
  (_, k) => (k / (size * size * 3)) * 1.6 - 0.8,
);

const changed = (kinds: readonly Augmentation[], position: number, image = 7): Float32Array => {
  const pixels = original.slice();
  augment(pixels, kinds, { seed: 1, image, position });
  return pixels;
};

/** The image in which row y, column x is where `to` says. */
function moved(to: (y: number, x: number) => [number, number]): Float32Array {
  const pixels = new Float32Array(original.length);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const [toY, toX] = to(y, x);
      for (let c = 0; c < 3; c++) pixels[3 * (toY * size + toX) + c] = original[3 * (y * size + x) + c]!;
    }
  }
  return pixels;
}

const last = size - 1;
const results: Record<Exclude<Augmentation, "brightness">, Float32Array[]> = {
  horizontalFlip: [original, moved((y, x) => [y, last - x])],
  verticalFlip: [original, moved((y, x) => [last - y, x])],
  quarterTurn: [
    original,
    moved((y, x) => [x, last - y]),
    moved((y, x) => [last - y, last - x]),
    moved((y, x) => [last - x, y]),
  ],
};

describe("augmentation", () => {
  for (const [kind, expected] of Object.entries(results)) {
    it(`${kind} gives each of its ${expected.length} images about as often`, () => {
      const counts = expected.map(() => 0);
      for (let position = 0; position < 400; position++) {
        const pixels = changed([kind as Augmentation], position);
        const index = expected.findIndex((image) => image.every((value, k) => value === pixels[k]));
        expect(index, `image ${position} is none of those expected`).to.be.at.least(0);
        counts[index]!++;
      }
      // Four deviations of a binomial count.
      const share = 1 / expected.length;
      for (const count of counts) {
        expect(count).to.be.closeTo(400 * share, 4 * Math.sqrt(400 * share * (1 - share)));
      }
    });
  }

  it("brightness keeps to its bounds and to the range, and changes each value alike", () => {
    for (let position = 0; position < 200; position++) {
      const pixels = changed(["brightness"], position);
      const contrast = (pixels.at(-1)! - pixels[0]!) / (original.at(-1)! - original[0]!);
      const brightness = pixels[0]! - contrast * original[0]!;
      expect(contrast).to.be.within(0.9 - 1e-6, 1.1 + 1e-6);
      expect(Math.abs(brightness)).to.be.at.most(0.1 + 1e-6);
      for (const [k, value] of pixels.entries()) {
        expect(value).to.be.closeTo(contrast * original[k]! + brightness, 1e-6);
      }
    }
    const bright = new Float32Array(12).fill(1);
    for (let position = 0; position < 50; position++) {
      augment(bright, ["brightness"], { seed: 1, image: 3, position });
      expect(Math.max(...bright)).to.be.at.most(1);
    }
  });

  it("depends on seed, image and position, not on the order of its kinds", () => {
    const all = [...augmentations];
    expect(changed(all, 4)).to.deep.equal(changed([...all].reverse(), 4));
    const different = (pixels: Float32Array): boolean =>
      pixels.some((value, k) => value !== changed(all, 4)[k]);
    expect([1, 2, 3].some((position) => different(changed(all, position)))).to.equal(true);
    expect([1, 2, 3].some((image) => different(changed(all, 4, image)))).to.equal(true);
  });
});
