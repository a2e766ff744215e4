/** Results on disk are there whole or not at all. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { DataError } from "../../ddad/src/errors.ts";
import { createImage } from "../../ddad/src/images/image.ts";
import { cannot, writeWhole } from "../src/files.ts";
import { decodePng, writeImage } from "../src/images/png.ts";
import { lockRun, type RunLock } from "../src/runLock.ts";

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
    expect(() => writeWhole(path("taken"), "text")).to.throw(
      DataError,
      /taken cannot be written: a folder is in the place/,
    );
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
    expect(files.sort()).to.deep.equal(["files.ts", "runLock.ts"]);
  });
});

describe("errors of the file system", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ddad-system-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("are sentences that name the file and the cure", () => {
    writeFileSync(join(folder, "file"), "");
    expect(() => writeWhole(join(folder, "file", "a.json"), "")).to.throw(
      DataError,
      /a\.json cannot be written: .*; choose another folder\.$/,
    );
    const full = Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    expect(cannot("write", "a.json", full)).to.be.instanceOf(DataError);
    expect((cannot("write", "a.json", full) as Error).message).to.match(/no space left .* and resume\.$/);
    expect(cannot("write", "a.json", new TypeError("else"))).to.be.instanceOf(TypeError);
  });

  it("cannot come from two processes in one run", () => {
    const lock = () => lockRun(join(folder, "run"));
    const foreign = (owner: object) => writeFileSync(join(folder, "run", ".lock"), JSON.stringify(owner));
    {
      using _ = lock();
      using __ = lock(); // a stage within a stage
    }
    expect(readdirSync(folder)).to.deep.equal([]); // nothing was written, so nothing is left
    writeFileSync(join(folder, "file"), "");
    for (const below of ["file", "file/run"])
      expect(() => lockRun(join(folder, below))).to.throw(
        DataError,
        /file\S* cannot be written: a .*; choose another folder/,
      );
    mkdirSync(join(folder, "run"));
    foreign({ process: process.ppid, host: hostname() });
    expect(lock).to.throw(DataError, /^Process \d+ on .* is working in .*; wait for it, or choose another/);
    foreign({ process: 2 ** 22 + 1, host: hostname() }); // above the largest id there is
    lock()[Symbol.dispose]();
    foreign({ process: 1, host: "elsewhere" });
    expect(lock).to.throw(DataError, /on elsewhere is working/);
  });

  describe("in a run whose folder is removed meanwhile", () => {
    const path = (...parts: string[]): string => join(folder, "run", ...parts);
    const names = ["config.yaml", "split.json", "stages.json"];
    const begin = (): { lock: RunLock; told: string[] } => {
      const lock = lockRun(path());
      for (const name of names.slice(0, 2)) writeWhole(path(name), `contents of ${name}`);
      const told: string[] = [];
      lock.keep(names, (message) => told.push(message));
      return { lock, told };
    };

    for (const [what, remove, sentence] of [
      [
        "whole",
        () => rmSync(path(), { recursive: true }),
        /^config\.yaml and split\.json of .* were removed/,
      ],
      [
        "but for the lock",
        () => names.forEach((name) => void rmSync(path(name), { force: true })),
        /were removed/,
      ],
      [
        "in part",
        () => rmSync(path("split.json")),
        /^split\.json of .* was removed while .* and written again/,
      ],
    ] as const) {
      it(`are no loss of its record: ${what}`, () => {
        const { lock, told } = begin();
        writeWhole(path("one"), "1");
        expect(told).to.deep.equal([]);
        remove();
        writeWhole(path("below", "two"), "2");
        writeWhole(path("three"), "3");
        expect(told.length).to.equal(1);
        expect(told[0]).to.match(sentence);
        const found = readdirSync(path()).filter((name) => name !== "one");
        expect(found.sort()).to.deep.equal([".lock", "below", "config.yaml", "split.json", "three"]);
        expect(readFileSync(path("split.json"), "utf8")).to.equal("contents of split.json");
        lock[Symbol.dispose]();
        expect(existsSync(path(".lock"))).to.equal(false);
        rmSync(path("split.json"));
        writeWhole(path("four"), "4");
        expect(existsSync(path("split.json")), "the run is over").to.equal(false);
      });
    }

    it("never mix with another run, working or complete", () => {
      for (const owner of [process.ppid, undefined]) {
        const { lock, told } = begin();
        rmSync(path(), { recursive: true });
        mkdirSync(path());
        writeFileSync(path("config.yaml"), "of another run");
        const other = JSON.stringify({ process: owner, host: hostname() });
        if (owner !== undefined) writeFileSync(path(".lock"), other);
        expect(() => writeWhole(path("one"), "1")).to.throw(
          DataError,
          owner === undefined
            ? /^Another run took the place of this one in /
            : /^Process \d+ on .* is working in /,
        );
        expect(existsSync(path("one"))).to.equal(false);
        lock[Symbol.dispose]();
        if (owner !== undefined) expect(readFileSync(path(".lock"), "utf8")).to.equal(other);
        expect(told).to.deep.equal([]);
        expect(readFileSync(path("config.yaml"), "utf8")).to.equal("of another run");
        rmSync(path(), { recursive: true });
      }
    });
  });
});
