import { expect } from "chai";
import sharp from "sharp";
import { withoutExif } from "../../ddad/src/images/exif.ts";
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
