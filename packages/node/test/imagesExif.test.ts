import { expect } from "chai";
import sharp from "sharp";
import { exifOrientation, withoutExif } from "../../ddad/src/images/exif.ts";
import { decodeImage } from "../src/images/read.ts";

describe("withoutExif", () => {
  const data = Buffer.from(Array.from({ length: 16 * 8 * 3 }, (_, i) => (i * 37) % 256));
  const image = () => sharp(data, { raw: { width: 16, height: 8, channels: 3 } });
  const stripped = (file: Buffer): Buffer => Buffer.concat(withoutExif(Uint8Array.from(file)));

  for (const format of ["jpeg", "png"] as const) {
    it(`takes the orientation out of a ${format} and nothing else`, async () => {
      const plain = await image()[format]().toBuffer();
      const turned = await image()[format]().withMetadata({ orientation: 6 }).toBuffer();
      expect((await sharp(turned).metadata()).orientation).to.equal(6);
      const file = stripped(turned);
      const { orientation, exif } = await sharp(file).metadata();
      expect([orientation, exif]).to.deep.equal([undefined, undefined]);
      expect((await decodeImage(file)).data).to.deep.equal((await decodeImage(plain)).data);
      expect(stripped(plain).equals(plain)).to.equal(true);
    });
  }

  it("gives anything else back, cut off or no image at all", async () => {
    const turned = await image().jpeg().withMetadata({ orientation: 6 }).toBuffer();
    for (const length of [0, 3, 5, 12, 30]) {
      const start = turned.subarray(0, length);
      expect(turned.subarray(0, stripped(start).length).equals(stripped(start))).to.equal(true);
    }
    const webp = await image().webp().withMetadata({ orientation: 6 }).toBuffer();
    expect(stripped(webp).equals(webp)).to.equal(true);
  });
});

describe("the EXIF orientation", () => {
  const [width, height] = [5, 3];
  const data = Buffer.from(Array.from({ length: width * height * 3 }, (_, i) => (i * 37 + (i >> 3)) % 256));
  const formats = ["png", "webp", "tiff", "jpeg"] as const;
  const encoded = (format: (typeof formats)[number], orientation: number): Promise<Buffer> => {
    const image = sharp(data, { raw: { width, height, channels: 3 } }).withMetadata({ orientation });
    if (format === "webp") return image.webp({ lossless: true }).toBuffer();
    return format === "jpeg"
      ? image.jpeg({ quality: 100, chromaSubsampling: "4:4:4" }).toBuffer()
      : image[format]().toBuffer();
  };

  for (const format of formats) {
    it(`turns a ${format} as sharp does, in all eight ways, unless it is to stay as it is stored`, async () => {
      for (let orientation = 1; orientation <= 8; orientation++) {
        const file = await encoded(format, orientation);
        expect(exifOrientation(file)).to.equal(orientation);
        const { data: expected, info } = await sharp(file)
          .rotate()
          .raw()
          .toBuffer({ resolveWithObject: true });
        const image = await decodeImage(file, format, { orientation: "exif" });
        expect([image.width, image.height], `${orientation}`).to.deep.equal([info.width, info.height]);
        expect(Buffer.from(image.data).equals(expected), `${orientation}`).to.equal(true);
        const stored = await decodeImage(file, format, { orientation: "stored" });
        expect(stored).to.include({ width, height });
        const unturned = await sharp(file).raw().toBuffer();
        expect(Buffer.from(stored.data).equals(unturned), `${orientation}`).to.equal(true);
      }
    });
  }

  it("is 1 where there is none, it is out of range, or the file is cut off", async () => {
    expect(exifOrientation(Buffer.alloc(0))).to.equal(1);
    expect(exifOrientation(Buffer.from("II*\0\xff\xff\xff\xff", "latin1"))).to.equal(1);
    for (const format of formats) {
      const file = await encoded(format, 6);
      for (let length = 0; length < Math.min(file.length, 60); length++) {
        expect(exifOrientation(Uint8Array.from(file.subarray(0, length)))).to.be.oneOf([1, 6]);
      }
      const plain = sharp(data, { raw: { width, height, channels: 3 } });
      expect(exifOrientation(await plain.toFormat(format).toBuffer())).to.equal(1);
    }
    const big = Buffer.alloc(44);
    big.write("MM\0\x2b\0\x08\0\0", "latin1");
    big.writeBigUInt64BE(16n, 8);
    big.writeBigUInt64BE(1n, 16);
    big.writeUInt16BE(0x0112, 24);
    big.writeUInt16BE(3, 26);
    big.writeUInt16BE(8, 36);
    expect(exifOrientation(big)).to.equal(8);
    big.writeUInt16BE(9, 36);
    expect(exifOrientation(big)).to.equal(1);
  });
});
