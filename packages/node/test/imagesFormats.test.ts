/** JPEG, TIFF and WebP: the samples that a file holds, as the PNG code gives them. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { encode as encodeBmp } from "fast-bmp";
import sharp from "sharp";
import { imageFormat } from "../../ddad/src/images/format.ts";
import { decodeImage } from "../src/images/read.ts";
import { decodeWithSharp } from "../src/images/sharp.ts";
import { refuses, Tree } from "./datasetsTree.ts";

const bytes = (count: number): Buffer => Buffer.from(Array.from({ length: count }, (_, i) => (i * 37) % 256));

/** Samples with the values at which scaling to 8 bits rounds differently, and what they become. */
const wide = [0, 127, 128, 129, 257, 32767, 65406, 65535];
const narrow = wide.map((sample) => Math.round(sample / 257));

describe("JPEG, TIFF and WebP", () => {
  const raw = { width: 16, height: 16, channels: 3 } as const;

  it("JPEG: gray has one channel, colour three, close to what was written", async () => {
    const smooth = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const gray = await decodeImage(
      await sharp(tiff({ width: 16, height: 16, channels: 1, bits: 8 }, smooth))
        .toColourspace("b-w")
        .jpeg({ quality: 100 })
        .toBuffer(),
    );
    expect(gray).to.include({ width: 16, height: 16, channels: 1 });
    expect(Math.max(...gray.data.map((value, i) => Math.abs(value - smooth[i]!)))).to.be.at.most(2);
    const color = await decodeImage(
      await sharp(Buffer.alloc(768, 90), { raw }).jpeg({ quality: 100 }).toBuffer(),
    );
    expect(color.channels).to.equal(3);
    expect(new Set(color.data)).to.deep.equal(new Set([90]));
  });

  it("WebP without loss gives its bytes, alpha dropped and not blended", async () => {
    const data = bytes(768);
    const file = await sharp(data, { raw }).webp({ lossless: true }).toBuffer();
    expect(Buffer.from((await decodeImage(file)).data).equals(data)).to.equal(true);
    const alpha = bytes(16 * 16 * 4);
    const transparent = await sharp(alpha, { raw: { ...raw, channels: 4 } })
      .webp({ lossless: true, exact: true })
      .toBuffer();
    const { data: found, channels } = await decodeImage(transparent);
    expect(channels).to.equal(3);
    expect([...found]).to.deep.equal([...alpha].filter((_, i) => i % 4 !== 3));
  });

  it("TIFF: 1, 8 and 16 bits, gray and colour, white at either end", async () => {
    const decode = async (header: TiffHeader, data: Buffer) => [
      ...(await decodeImage(tiff(header, data))).data,
    ];
    const eight = bytes(12);
    expect(await decode({ width: 12, height: 1, channels: 1, bits: 8 }, eight)).to.deep.equal([...eight]);
    expect(await decode({ width: 4, height: 1, channels: 3, bits: 8 }, eight)).to.deep.equal([...eight]);
    expect(
      await decode({ width: 12, height: 1, channels: 1, bits: 8, whiteIsZero: true }, eight),
    ).to.deep.equal([...eight].map((gray) => 255 - gray));
    expect(await decode({ width: 8, height: 1, channels: 1, bits: 1 }, Buffer.of(0b10110000))).to.deep.equal([
      255, 0, 255, 255, 0, 0, 0, 0,
    ]);
    const sixteen = Buffer.from(Uint16Array.from(wide).buffer);
    expect(await decode({ width: 8, height: 1, channels: 1, bits: 16 }, sixteen)).to.deep.equal(narrow);
    const colors = Buffer.concat([sixteen, sixteen, sixteen]);
    expect(await decode({ width: 8, height: 1, channels: 3, bits: 16 }, colors)).to.deep.equal([
      ...narrow,
      ...narrow,
      ...narrow,
    ]);
  });

  it("asked for as stored, an EXIF orientation does not turn an image; a colour profile changes nothing", async () => {
    const data = Buffer.from(Array.from({ length: 16 * 8 * 3 }, (_, i) => (Math.floor(i / 3) % 16) * 16));
    const plain = sharp(data, { raw: { width: 16, height: 8, channels: 3 } }).webp({ lossless: true });
    const turned = await plain.clone().withMetadata({ orientation: 6 }).toBuffer();
    expect((await sharp(turned).metadata()).orientation).to.equal(6);
    const image = await decodeImage(turned, "a.webp", { orientation: "stored" });
    expect(image).to.include({ width: 16, height: 8 });
    expect(Buffer.from(image.data).equals(data)).to.equal(true);
    const colors = sharp(bytes(768), { raw }).webp({ lossless: true });
    const profiled = await colors.withIccProfile("p3", { attach: true }).toBuffer();
    expect((await sharp(profiled).metadata()).icc).to.not.equal(undefined);
    const stored = await sharp(profiled, { ignoreIcc: true }).raw().toBuffer();
    expect(stored.equals(await sharp(profiled).raw().toBuffer())).to.equal(false);
    expect(Buffer.from((await decodeImage(profiled)).data).equals(stored)).to.equal(true);
  });

  it("CMYK in JPEG and TIFF becomes RGB, near what it was made of", async () => {
    const colors = [230, 40, 30, 40, 160, 60, 30, 60, 200, 240, 240, 240];
    const pixels = Buffer.from(
      Array.from({ length: 64 }, (_, i) => colors.slice((i % 4) * 3, (i % 4) * 3 + 3)).flat(),
    );
    // Wide stripes, so that JPEG keeps their colours.
    const wide = sharp(pixels, { raw: { width: 4, height: 16, channels: 3 } })
      .resize(64, 64, { kernel: "nearest", fit: "fill" })
      .toColourspace("cmyk");
    for (const file of [
      await wide.clone().jpeg({ quality: 100 }).toBuffer(),
      await wide.clone().tiff().toBuffer(),
    ]) {
      expect((await sharp(file).metadata()).space).to.equal("cmyk");
      const image = await decodeImage(file);
      expect(image).to.include({ width: 64, height: 64, channels: 3 });
      const found = [8, 24, 40, 56].flatMap((x) => [
        ...image.data.subarray((32 * 64 + x) * 3, (32 * 64 + x) * 3 + 3),
      ]);
      const difference = found.map((value, i) => Math.abs(value - colors[i]!));
      expect(Math.max(...difference), found.join(" ")).to.be.at.most(60);
      expect(difference.reduce((sum, value) => sum + value) / 12, found.join(" ")).to.be.at.most(25);
    }
  });

  it("of an animation or several pages gives the first, and says so", async () => {
    const raw3 = { width: 4, height: 12, channels: 3, pageHeight: 4 } as const;
    const first = Buffer.alloc(48, 10);
    const animation = sharp(Buffer.concat([first, Buffer.alloc(48, 100), Buffer.alloc(48, 200)]), {
      raw: raw3,
    });
    for (const [file, what] of [
      [await animation.clone().webp({ lossless: true }).toBuffer(), "frames"],
      [await animation.clone().gif().toBuffer(), "frames"],
      [await animation.clone().tiff().toBuffer(), "pages"],
    ] as const) {
      const notices: string[] = [];
      const image = await decodeImage(file, "a", { onNotice: (message) => notices.push(message) });
      expect([image.width, image.height, image.data[0]]).to.deep.equal([4, 4, 10]);
      expect(notices).to.deep.equal([`a has 3 ${what}: the first is used`]);
    }
    const still = await sharp(first, { raw: { width: 4, height: 4, channels: 3 } })
      .gif()
      .toBuffer();
    const none: string[] = [];
    expect((await decodeImage(still, "a", { onNotice: (message) => none.push(message) })).data[5]).to.equal(
      10,
    );
    expect(none).to.deep.equal([]);
  });

  it("goes by what a file holds, not by its name", async () => {
    const file = await sharp(bytes(768), { raw }).webp({ lossless: true }).toBuffer();
    expect(imageFormat(file)).to.equal("WebP");
    expect((await decodeImage(file, "really.png")).width).to.equal(16);
    expect(imageFormat(Buffer.from("RIFF....WAVE"))).to.equal(undefined);
    expect(imageFormat(Buffer.from("RI"))).to.equal(undefined);
  });

  it("refuses damaged files and other kinds of numbers or colours, in a sentence", async () => {
    const file = await sharp(bytes(768), { raw }).jpeg().toBuffer();
    const half = file.subarray(0, file.length / 2);
    await refuses(decodeImage(half, "a.jpg"), /^a\.jpg is damaged and cannot be decoded as JPEG \(.+\)\.$/);
    await refuses(decodeImage(file.subarray(0, 40), "a.jpg"), /^a\.jpg is damaged and cannot/);
    const webp = await sharp(bytes(768), { raw }).webp({ lossless: true }).toBuffer();
    await refuses(decodeImage(webp.subarray(0, webp.length / 2), "a.webp"), /^a\.webp is damaged and cannot/);
    const float = Buffer.from(Float32Array.of(0, 0.5, 1, 2).buffer);
    await refuses(
      decodeImage(tiff({ width: 4, height: 1, channels: 1, bits: 32, float: true }, float), "a.tif"),
      "a.tif is an image of floating-point numbers in gray; save it as gray or RGB with 8 or 16 bits.",
    );
    await refuses(decodeImage(Buffer.alloc(0), "a.tif"), "a.tif is empty: it must be PNG, JPEG");
  });

  it("says what to install where sharp is not", async () => {
    const absent = () => Promise.reject(new Error("Cannot find package 'sharp'"));
    await refuses(
      decodeWithSharp(Buffer.alloc(3), "a.jpg", "JPEG", { load: absent }),
      "a.jpg is a JPEG, which needs the package sharp: install it with npm install sharp, or convert",
    );
  });

  it("does not load sharp for PNG and BMP", async () => {
    const tree = new Tree();
    try {
      tree.write(["c.webp", await sharp(bytes(768), { raw }).webp().toBuffer()]);
      tree.write("a.png", [
        "b.bmp",
        encodeBmp({ width: 1, height: 1, bitsPerPixel: 24, components: 3, channels: 3, data: bytes(3) }),
      ]);
      const node = fileURLToPath(new URL("../src/index.ts", import.meta.url));
      const script = `
        const { readImage } = await import(${JSON.stringify(node)});
        const loaded = () => process.report.getReport().sharedObjects.some((path) => path.includes("sharp"));
        for (const path of ${JSON.stringify([tree.path("a.png"), tree.path("b.bmp")])}) await readImage(path);
        const before = loaded();
        await readImage(${JSON.stringify(tree.path("c.webp"))});
        console.log(before, loaded());`;
      const args = ["--conditions=@ddad/source", "--import", "tsx", "--input-type=module", "--eval", script];
      const output = execFileSync(process.execPath, args, { encoding: "utf8" });
      expect(output.trim()).to.equal("false true");
    } finally {
      tree.remove();
    }
  });
});

type TiffHeader = {
  width: number;
  height: number;
  channels: 1 | 3;
  bits: number;
  whiteIsZero?: boolean;
  float?: boolean;
};

/** An uncompressed TIFF put together by hand, little-endian, in one strip. */
function tiff({ width, height, channels, bits, whiteIsZero, float }: TiffHeader, data: Buffer): Buffer {
  const [short, long] = [3, 4];
  const photometric = channels === 3 ? 2 : whiteIsZero ? 0 : 1;
  const depths = Buffer.from(Uint16Array.from({ length: channels }, () => bits).buffer);
  const directory = 8 + data.length + depths.length + (data.length % 2);
  const entries: [tag: number, type: number, count: number, value: number][] = [
    [256, long, 1, width],
    [257, long, 1, height],
    [258, short, channels, channels === 1 ? bits : 8 + data.length + (data.length % 2)],
    [259, short, 1, 1],
    [262, short, 1, photometric],
    [273, long, 1, 8],
    [277, short, 1, channels],
    [278, long, 1, height],
    [279, long, 1, data.length],
    [339, short, 1, float ? 3 : 1],
  ];
  const head = Buffer.alloc(8);
  head.write("II*\0", "latin1");
  head.writeUInt32LE(directory, 4);
  const table = Buffer.alloc(2 + entries.length * 12 + 4);
  table.writeUInt16LE(entries.length);
  entries.forEach(([tag, type, count, value], i) => {
    table.writeUInt16LE(tag, 2 + i * 12);
    table.writeUInt16LE(type, 4 + i * 12);
    table.writeUInt32LE(count, 6 + i * 12);
    table.writeUInt32LE(value, 10 + i * 12);
  });
  return Buffer.concat([head, data, Buffer.alloc(data.length % 2), depths, table]);
}
