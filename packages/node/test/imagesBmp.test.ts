import { expect } from "chai";
import { encode as encodeBmp } from "fast-bmp";
import { decodeBmp } from "../../ddad/src/images/bmp.ts";
import { decodeImage } from "../src/images/read.ts";
import { refuses } from "./datasetsTree.ts";

const bytes = (count: number): Buffer => Buffer.from(Array.from({ length: count }, (_, i) => (i * 37) % 256));

describe("BMP", () => {
  for (const { bits, channels } of [
    { bits: 24, channels: 3 },
    { bits: 32, channels: 4 },
  ]) {
    it(`reads ${bits} bits, as another package writes them`, () => {
      const data = bytes(7 * 5 * channels);
      const file = encodeBmp({ width: 7, height: 5, bitsPerPixel: bits, components: 3, channels, data });
      const image = decodeBmp(file);
      expect(image).to.include({ width: 7, height: 5, channels: 3 });
      expect([...image.data]).to.deep.equal([...data].filter((_, i) => i % channels < 3));
    });
  }

  it("reads eight bits of gray, as another package writes them", () => {
    const data = bytes(15);
    const { data: found } = decodeBmp(
      encodeBmp({ width: 5, height: 3, bitsPerPixel: 8, components: 1, channels: 1, data }),
    );
    expect([...found]).to.deep.equal([...data].flatMap((gray) => [gray, gray, gray]));
  });

  const palette = [
    [1, 2, 3],
    [40, 50, 60],
    [7, 8, 9],
  ];
  const palettes: [number, number[], number[]][] = [
    [1, [0b10100000], [1, 0, 1]],
    [4, [0x21, 0x00], [2, 1, 0]],
    [8, [2, 0, 1], [2, 0, 1]],
  ];
  for (const [bits, row, indices] of palettes) {
    it(`looks up a palette of ${bits} bits`, () => {
      const { data } = decodeBmp(
        bmp({ width: 3, height: 1, bits, palette: palette.slice(0, 2 ** bits) }, [row]),
      );
      expect([...data]).to.deep.equal(indices.flatMap((index) => palette[index]!));
    });
  }

  it("reads rows from the top, too, and the usual masks of 16 and 32 bits", () => {
    const down = bmp({ width: 1, height: -2, bits: 24 }, [
      [3, 2, 1],
      [6, 5, 4],
    ]);
    expect([...decodeBmp(down).data]).to.deep.equal([1, 2, 3, 4, 5, 6]);
    const high = bmp({ width: 2, height: 1, bits: 16 }, [[0xff, 0x7f, 0x1f, 0x00]]);
    expect([...decodeBmp(high).data]).to.deep.equal([255, 255, 255, 0, 0, 255]);
    const full = bmp({ width: 1, height: 1, bits: 32 }, [[3, 2, 1, 99]]);
    expect([...decodeBmp(full).data]).to.deep.equal([1, 2, 3]);
  });

  it("reads masks of its own", () => {
    const file = bmp({ width: 1, height: 1, bits: 16, compression: 3, masks: [0xf800, 0x07e0, 0x001f] }, [
      [0xe0, 0xff],
    ]);
    expect([...decodeBmp(file).data]).to.deep.equal([255, 255, 0]);
  });

  it("refuses what is compressed, cut off, old or empty, in a sentence", async () => {
    const whole = bmp(
      { width: 4, height: 2, bits: 24 },
      [bytes(12), bytes(12)].map((row) => [...row]),
    );
    await refuses(
      decodeImage(whole.subarray(0, -1), "a.bmp"),
      /^a\.bmp is damaged .* \(it ends too early\)\.$/,
    );
    await refuses(decodeImage(whole.subarray(0, 20), "a.bmp"), "ends too early");
    const packed = bmp({ width: 4, height: 1, bits: 8, compression: 1 }, [[4, 0, 0, 1]]);
    await refuses(
      decodeImage(packed, "a.bmp"),
      "a.bmp is a BMP with compression 1, which is not read; save it",
    );
    await refuses(decodeImage(bmp({ width: 0, height: 1, bits: 24 }, [[]]), "a.bmp"), "it has no pixels");
    await refuses(
      decodeImage(bmp({ width: 1, height: 1, bits: 24, headerSize: 12 }, [[0]])),
      "an OS/2 header",
    );
    await refuses(decodeImage(bmp({ width: 1, height: 1, bits: 2 }, [[0]])), "2 bits a pixel");
  });
});

type BmpHeader = {
  width: number;
  height: number;
  bits: number;
  compression?: number;
  palette?: number[][];
  masks?: number[];
  headerSize?: number;
};

/** A BMP put together by hand, with the header that Windows writes; rows as they lie in the file. */
function bmp(
  { width, height, bits, compression = 0, palette = [], masks = [], headerSize = 40 }: BmpHeader,
  rows: number[][],
): Buffer {
  const header = Buffer.alloc(54);
  header.write("BM");
  header.writeUInt32LE(54 + masks.length * 4 + palette.length * 4, 10);
  header.writeUInt32LE(headerSize, 14);
  header.writeInt32LE(width, 18);
  header.writeInt32LE(height, 22);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(bits, 28);
  header.writeUInt32LE(compression, 30);
  header.writeUInt32LE(palette.length, 46);
  const extra = Buffer.alloc(masks.length * 4);
  for (const [i, mask] of masks.entries()) extra.writeUInt32LE(mask, i * 4);
  const colors = Buffer.from(palette.flatMap(([red, green, blue]) => [blue!, green!, red!, 0]));
  const padded = rows.map((row) => Buffer.concat([Buffer.from(row), Buffer.alloc(-row.length & 3)]));
  return Buffer.concat([header, extra, colors, ...padded]);
}
