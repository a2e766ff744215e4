/** Images and masks in memory: resizing, and what a network sees of them. */
import { join } from "node:path";
import { expect } from "chai";
import { createImage, fromPixels, type Image, toPixels, toRgb } from "../../ddad/src/images/image.ts";
import { maskImage, toMask } from "../../ddad/src/images/mask.ts";
import { resizeBilinear, resizeNearest } from "../../ddad/src/images/resize.ts";
import { entry, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { readImage } from "../src/images/read.ts";
import { patternedImage } from "./datasetsTree.ts";

describe("resize", () => {
  for (const name of ["rgb_100x80", "gray_100x80", "rgb_40x30", "rgb_64x64", "rgb_300x200", "rgb_64x200"]) {
    it(`makes ${name} 64×64 bit for bit as Pillow does`, async function () {
      const folder = sharedOrSkip(this, "golden", "resize");
      const { data } = entry(readNpz(join(folder, "resize.npz")), `${name}|resized`, Uint8Array);
      expect(resizeBilinear(await readImage(join(folder, `${name}.png`)), 64, 64).data).to.deep.equal(data);
    });
  }

  it("resizes the colours of a palette, not its indices", async function () {
    const folder = sharedOrSkip(this, "golden", "resize");
    const { data } = entry(readNpz(join(folder, "resize.npz")), "palette_100x80|as_rgb_resized", Uint8Array);
    expect(resizeBilinear(await readImage(join(folder, "palette_100x80.png")), 64, 64).data).to.deep.equal(
      data,
    );
  });

  it("takes the nearest pixel of a mask as Pillow does", async function () {
    const folder = sharedOrSkip(this, "golden", "resize");
    const { data } = entry(readNpz(join(folder, "resize.npz")), "mask1bit_100x80|resized", Uint8Array);
    expect(toMask(await readImage(join(folder, "mask1bit_100x80.png")), 64, 64)).to.deep.equal(data);
  });

  // Worked out from the filter by hand: a reduction by two weighs 1 3 3 1, cut and normalised at the border.
  it("reduces a ramp with antialiasing", () => {
    const ramp: Image = {
      width: 8,
      height: 1,
      channels: 1,
      data: Uint8Array.from([0, 16, 32, 48, 64, 80, 96, 112]),
    };
    expect([...resizeBilinear(ramp, 4, 1).data]).to.deep.equal([11, 40, 72, 101]);
  });

  it("keeps a constant image constant at any size", () => {
    const gray = createImage(13, 9, 3, [200, 100, 50]);
    for (const [width, height] of [
      [1, 1],
      [5, 31],
      [64, 64],
    ] as const) {
      const { data } = resizeBilinear(gray, width, height);
      expect(data).to.deep.equal(createImage(width, height, 3, [200, 100, 50]).data);
    }
  });

  it("copies pixels when enlarging by nearest neighbour", () => {
    const image: Image = { width: 2, height: 1, channels: 1, data: Uint8Array.from([3, 9]) };
    expect([...resizeNearest(image, 4, 2).data]).to.deep.equal([3, 3, 9, 9, 3, 3, 9, 9]);
  });

  it("refuses sizes that are none", () => {
    expect(() => resizeBilinear(createImage(2, 2, 1), 0, 2)).to.throw(RangeError, "0×2");
    expect(() => resizeNearest(createImage(2, 2, 1), 2, 1.5)).to.throw(RangeError, "2×1.5");
  });
});

describe("pixels", () => {
  it("go from bytes to [-1, 1] with torchvision's bits", async function () {
    const folder = sharedOrSkip(this, "golden", "resize");
    const arrays = readNpz(join(folder, "resize.npz"));
    const tensor = entry(arrays, "rgb_100x80|tensor", Float32Array).data; // [3, 64, 64]
    const pixels = toPixels(resizeBilinear(await readImage(join(folder, "rgb_100x80.png")), 64, 64)); // [64, 64, 3]
    expect(pixels).to.deep.equal(pixels.map((_, i) => tensor[(i % 3) * 4096 + Math.floor(i / 3)]!));
  });

  it("load the recorded data set as the published code does, gray repeated", async function () {
    const folder = sharedOrSkip(this, "golden", "resize");
    const arrays = readNpz(join(folder, "resize.npz"));
    const keys = [...arrays.keys()].filter((key) => key.startsWith("dataset/") && key.endsWith("|image"));
    expect(keys).to.have.length(7);
    for (const key of keys) {
      const path = join(folder, "mvtec", key.slice("dataset/".length, -"|image".length));
      const tensor = entry(arrays, key, Float32Array).data;
      const pixels = toPixels(resizeBilinear(await readImage(path), 64, 64));
      expect(pixels, key).to.deep.equal(pixels.map((_, i) => tensor[(i % 3) * 4096 + Math.floor(i / 3)]!));
    }
  });

  it("map 0, 255 and the middle where they belong", () => {
    const image: Image = { width: 3, height: 1, channels: 1, data: Uint8Array.from([0, 128, 255]) };
    const middle = Math.fround(Math.fround(Math.fround(128 / 255) * 2) - 1);
    expect([...toPixels(image)]).to.deep.equal([-1, -1, -1, middle, middle, middle, 1, 1, 1]);
  });

  it("come back to the same bytes, clipped at the ends", () => {
    const image = patternedImage(6, 4);
    expect(fromPixels(toPixels(image), 6, 4)).to.deep.equal(image);
    expect([...fromPixels([-2, 0, 3], 1, 1).data]).to.deep.equal([0, 128, 255]);
    expect(() => fromPixels([1, 2], 1, 1)).to.throw(RangeError, "has 3 values, but 2 were given");
  });

  it("repeat gray, and leave colour alone", () => {
    expect([
      ...toRgb({ width: 2, height: 1, channels: 1, data: Uint8Array.from([5, 6]) }).data,
    ]).to.deep.equal([5, 5, 5, 6, 6, 6]);
    const color = patternedImage(2, 2);
    expect(toRgb(color)).to.equal(color);
  });
});

describe("masks", () => {
  it("count any non-zero value of any channel as defect", () => {
    const image: Image = { width: 2, height: 1, channels: 3, data: Uint8Array.from([0, 0, 1, 0, 0, 0]) };
    expect([...toMask(image, 2, 1)]).to.deep.equal([1, 0]);
  });

  it("become images and come back", () => {
    const mask = Uint8Array.from([0, 1, 1, 0]);
    expect([...maskImage(mask, 2, 2).data]).to.deep.equal([0, 255, 255, 0]);
    expect(toMask(maskImage(mask, 2, 2), 2, 2)).to.deep.equal(mask);
  });
});
