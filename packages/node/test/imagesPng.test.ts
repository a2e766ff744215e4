/** PNG files: kinds of pixels, damage, and what Pillow reads of the same files. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { expect } from "chai";
import { DataError } from "../../ddad/src/errors.ts";
import type { Image } from "../../ddad/src/images/image.ts";
import { entry, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { decodePng, encodePng, writeImage } from "../src/images/png.ts";
import { readImage } from "../src/images/read.ts";
import { patternedImage, refuses } from "./datasetsTree.ts";

describe("PNG", () => {
  it("keeps gray and colour through writing and reading", () => {
    const color = patternedImage(7, 5);
    expect(decodePng(encodePng(color))).to.deep.equal(color);
    const gray: Image = {
      width: 5,
      height: 3,
      channels: 1,
      data: Uint8Array.from({ length: 15 }, (_, i) => i * 17),
    };
    expect(decodePng(encodePng(gray))).to.deep.equal(gray);
  });

  it("scales 16 bits to 8 and rounds", () => {
    const samples = [0, 127, 128, 129, 257, 32767, 32768, 65406, 65407, 65535];
    const row = Buffer.from([0, ...samples.flatMap((sample) => [sample >> 8, sample & 255])]);
    const { data, channels } = decodePng(png({ width: 10, height: 1, depth: 16, colorType: 0 }, row));
    expect(channels).to.equal(1);
    expect([...data]).to.deep.equal(samples.map((sample) => Math.round(sample / 257)));
  });

  it("reads one-bit gray as black and white", () => {
    const { data } = decodePng(
      png({ width: 4, height: 1, depth: 1, colorType: 0 }, Buffer.from([0, 0b10110000])),
    );
    expect([...data]).to.deep.equal([255, 0, 255, 255]);
  });

  it("looks palettes up", () => {
    const palette = chunk("PLTE", Buffer.from([1, 2, 3, 40, 50, 60]));
    const { data } = decodePng(
      png({ width: 2, height: 1, depth: 8, colorType: 3 }, Buffer.from([0, 1, 0]), palette),
    );
    expect([...data]).to.deep.equal([40, 50, 60, 1, 2, 3]);
  });

  it("drops alpha and a transparent colour without touching the colours", () => {
    const rgba = png(
      { width: 2, height: 1, depth: 8, colorType: 6 },
      Buffer.from([0, 9, 8, 7, 0, 6, 5, 4, 128]),
    );
    expect([...decodePng(rgba).data]).to.deep.equal([9, 8, 7, 6, 5, 4]);
    const key = chunk("tRNS", Buffer.from([0, 9, 0, 8, 0, 7]));
    const keyed = png({ width: 1, height: 1, depth: 8, colorType: 2 }, Buffer.from([0, 9, 8, 7]), key);
    expect([...decodePng(keyed).data]).to.deep.equal([9, 8, 7]);
  });

  it("reads gray with alpha as gray", () => {
    const { data, channels } = decodePng(
      png({ width: 1, height: 1, depth: 8, colorType: 4 }, Buffer.from([0, 77, 3])),
    );
    expect({ channels, data: [...data] }).to.deep.equal({ channels: 1, data: [77] });
  });

  it("puts interlaced rows in their places", () => {
    const rows = Buffer.from([0, 10, 0, 20, 0, 30, 40]); // pass 1: (0,0), pass 6: (1,0), pass 7: the second row
    const { data } = decodePng(png({ width: 2, height: 2, depth: 8, colorType: 0, interlaced: true }, rows));
    expect([...data]).to.deep.equal([10, 20, 30, 40]);
  });

  it("ignores what follows the end", () => {
    const image = patternedImage(3, 3);
    expect(decodePng(Buffer.concat([encodePng(image), Buffer.from("trailer")]))).to.deep.equal(image);
  });

  it("decodes the recorded images as Pillow does", async function () {
    const folder = sharedOrSkip(this, "golden", "resize");
    const arrays = readNpz(join(folder, "resize.npz"));
    for (const name of ["rgb_100x80", "gray_100x80", "rgb_300x200", "mask_100x80"]) {
      const { data } = entry(arrays, `${name}|decoded`, Uint8Array);
      expect((await readImage(join(folder, `${name}.png`))).data, name).to.deep.equal(data);
    }
    const wide = entry(arrays, "gray16_100x80|decoded", Int32Array).data;
    const expected = Uint8Array.from(wide, (sample) => Math.round(sample / 257));
    expect((await readImage(join(folder, "gray16_100x80.png"))).data).to.deep.equal(expected);
    for (const [name, channels] of [["rgba_100x80", 4] as const, ["la_100x80", 2] as const]) {
      const { data } = entry(arrays, `${name}|decoded`, Uint8Array);
      const colors = data.filter((_, i) => i % channels !== channels - 1);
      expect((await readImage(join(folder, `${name}.png`))).data, name).to.deep.equal(colors);
    }
    const bits = entry(arrays, "bit1_100x80|decoded", Uint8Array).data;
    expect((await readImage(join(folder, "bit1_100x80.png"))).data).to.deep.equal(
      bits.map((bit) => bit * 255),
    );
  });

  const whole = Buffer.from(encodePng(patternedImage(16, 16)));
  const bent = (at: number): Buffer => {
    const copy = Buffer.from(whole);
    copy[at] = copy[at]! ^ 255;
    return copy;
  };
  const damaged: [string, Buffer, string][] = [
    ["an empty file", Buffer.alloc(0), "is not a PNG file"],
    ["a text file", Buffer.from("hello, this is no image"), "is not a PNG file"],
    ["a bare signature", whole.subarray(0, 8), "is damaged"],
    ["a truncated file", whole.subarray(0, whole.length - 100), "is damaged"],
    ["a file without its last chunk", whole.subarray(0, whole.length - 12), "is damaged"],
    ["a flipped header byte", bent(18), "is damaged"],
    ["a flipped pixel byte", bent(60), "is damaged"],
    ["a chunk of absurd length", bent(8), "is damaged"],
  ];
  for (const [what, bytes, message] of damaged) {
    it(`refuses ${what} with a sentence that names the file`, () => {
      expect(() => decodePng(bytes, "parts/a.png")).to.throw(
        DataError,
        new RegExp(`^parts/a\\.png ${message}.*\\.$`),
      );
    });
  }

  it("refuses an image without pixels", () => {
    const empty = png({ width: 0, height: 4, depth: 8, colorType: 0 }, Buffer.from([0, 0, 0, 0]));
    expect(() => decodePng(empty, "a.png")).to.throw(
      DataError,
      "a.png is damaged and cannot be decoded as PNG (it has no",
    );
  });

  it("refuses pixel data that stop too early", () => {
    const short = png({ width: 4, height: 4, depth: 8, colorType: 0 }, Buffer.from([0, 1, 2, 3, 4]));
    expect(() => decodePng(short, "a.png")).to.throw(DataError, "a.png is damaged");
  });

  it("refuses what would fill memory: a header of too many pixels, pixel data that unpack to far more", () => {
    const huge = png({ width: 20_000, height: 20_000, depth: 1, colorType: 0 }, Buffer.alloc(10));
    expect(() => decodePng(huge, "a.png")).to.throw(
      DataError,
      "a.png is damaged and cannot be decoded as PNG (it has 20000 × 20000 pixels, more than the 268 million that are read).",
    );
    const bomb = png({ width: 4, height: 4, depth: 8, colorType: 0 }, Buffer.alloc(2 ** 22));
    expect(() => decodePng(bomb, "a.png")).to.throw(DataError, "it unpacks to more than its pixels take");
  });

  it("names a file that does not exist, and writes files whole", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ddad-images-"));
    try {
      await refuses(readImage(join(folder, "none.png")), "none.png does not exist.");
      const image = patternedImage(4, 4);
      writeImage(join(folder, "a.png"), image);
      expect(await readImage(join(folder, "a.png"))).to.deep.equal(image);
      writeFileSync(join(folder, "b.png"), "no");
      await refuses(
        readImage(join(folder, "b.png")),
        "b.png is not an image that can be read: it must be PNG",
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

type Header = { width: number; height: number; depth: number; colorType: number; interlaced?: boolean };

/** A PNG put together by hand: filter byte and samples of every row are in `rows`. */
function png(
  { width, height, depth, colorType, interlaced }: Header,
  rows: Buffer,
  ...extra: Buffer[]
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colorType, 0, 0, interlaced ? 1 : 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const pixels = chunk("IDAT", deflateSync(rows));
  return Buffer.concat([signature, chunk("IHDR", header), ...extra, pixels, chunk("IEND", Buffer.alloc(0))]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc(body), body.length + 4);
  return out;
}

/** The checksum of PNG chunks (ISO 3309). */
function crc(bytes: Buffer): number {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return (value ^ 0xffffffff) >>> 0;
}
