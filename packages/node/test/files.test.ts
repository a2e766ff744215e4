/** Results on disk are there whole or not at all. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { createImage } from "../../ddad/src/images/image.ts";
import { writeWhole } from "../src/files.ts";
import { decodePng, writeImage } from "../src/images/png.ts";

describe("writeWhole", () => {
  let folder: string;
  const path = (...parts: string[]): string => join(folder, ...parts);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ddad-files-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("makes the folder and replaces what was there", () => {
    writeWhole(path("a", "b", "result.json"), "first");
    writeWhole(path("a", "b", "result.json"), "second");
    expect(readFileSync(path("a", "b", "result.json"), "utf8")).to.equal("second");
    expect(readdirSync(path("a", "b"))).to.deep.equal(["result.json"]);
  });

  it("leaves nothing half-written behind where it fails", () => {
    mkdirSync(path("taken", "by a folder"), { recursive: true });
    expect(() => writeWhole(path("taken"), "text")).to.throw();
    expect(readdirSync(folder)).to.deep.equal(["taken"]);
  });

  it("writes images, too", () => {
    const image = createImage(4, 4, 3, [1, 2, 3]);
    mkdirSync(path("taken.png"));
    expect(() => writeImage(path("taken.png"), image)).to.throw();
    expect(readdirSync(folder)).to.deep.equal(["taken.png"]);
    writeImage(path("deeper", "a.png"), image);
    expect(decodePng(readFileSync(path("deeper", "a.png")))).to.deep.equal(image);
  });

  it("is what every file is written by", () => {
    const source = fileURLToPath(new URL("../src", import.meta.url));
    const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((file) =>
      /\b(writeFile|writeFileSync|createWriteStream)\b/.test(
        file.endsWith(".ts") ? readFileSync(join(source, file), "utf8") : "",
      ),
    );
    expect(files).to.deep.equal(["files.ts"]);
  });
});
