/** Files that are no weights are called what they are; large files are read by parts. */
import { closeSync, ftruncateSync, openSync, utimesSync, writeFileSync, writeSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { zipSync } from "fflate";
import { readPyTorch } from "../src/checkpoint/pytorch/readPyTorch.ts";
import { readCheckpoint } from "../src/checkpoint/readCheckpoint.ts";
import { readSafetensors } from "../src/checkpoint/safetensors.ts";
import { CheckpointError } from "../src/errors.ts";
import { Linear } from "../src/layers/linear.ts";
import { bytes, dict, integer, little, type Part, pickle, storage, tensor, zipFile } from "./pickleFile.ts";

describe("files that are no weights", () => {
  const lfs = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0a".repeat(32)}\nsize 94123456\n`;
  const tar = new Uint8Array(1024);
  tar.set(bytes("model.pth"));
  tar.set(bytes("ustar"), 257);
  const whole = zipFile(dict(["a", tensor()]));
  const stored = (files: Record<string, Uint8Array>): Uint8Array => zipSync(files, { level: 0 });
  const kinds: [string, Uint8Array, RegExp][] = [
    [
      "a Git LFS pointer",
      bytes(lfs),
      /is a Git LFS pointer \(\d+ bytes\), not the weights, which have 94123456 bytes\. Run git lfs pull/,
    ],
    [
      "a web page",
      bytes("\n<!DOCTYPE html>\n<html><head><title>Log in"),
      /is a web page, not weights: .*log in/,
    ],
    ["a web page with a byte order mark", bytes(0xef, 0xbb, 0xbf, "<html lang=en>"), /is a web page/],
    ["an error as XML", bytes('<?xml version="1.0"?><Error><Code>AccessDenied'), /is a web page/],
    ["an error as JSON", bytes('{"error": "Invalid credentials"}'), /is JSON, not weights/],
    [
      "an index",
      bytes('{\n  "metadata": {"total_size": 5}, "weight_map": {}}'),
      /is the index of weights in several/,
    ],
    ["another text", bytes("Not found"), /is a text, not weights; it starts with "Not found"/],
    ["nothing", bytes(), /is empty \(0 bytes\)/],
    ["zeros", new Uint8Array(4096), /starts with zeros only, so the download did not end/],
    ["tar", tar, /is a tar archive\. Unpack it with tar -xf/],
    ["gzip", bytes(0x1f, 0x8b, 8, Array(20).fill(0)), /is compressed with gzip\. Unpack it with gunzip/],
    ["zstd", bytes(0x28, 0xb5, 0x2f, 0xfd, Array(20).fill(3)), /is compressed with zstd/],
    ["HDF5", bytes(0x89, "HDF\r\n", 0x1a, "\n", Array(20).fill(0)), /is HDF5 \(Keras/],
    ["GGUF", bytes("GGUF", Array(20).fill(0)), /is GGUF/],
    ["a NumPy array", bytes(0x93, "NUMPY", 1, 0), /is a NumPy array/],
    [
      "a plain pickle of a dict",
      pickle(dict(["a", integer(1)])),
      /is a pickle of a dict, but not a file of torch\.save/,
    ],
    [
      "a plain pickle of an object",
      pickle(["cnumpy\nndarray\n)", 0x81]),
      /a pickle of an object of numpy\.ndarray, but/,
    ],
    ["a cut zip", whole.subarray(0, whole.length - 30), /is cut off: a zip archive ends with its directory/],
    [
      "a zip of weights",
      stored({ "out/best.pth": bytes("x") }),
      /Unpack it, and pass "out\/best\.pth" inside/,
    ],
    [
      "a compressed zip of weights",
      zipSync({ "w.safetensors": new Uint8Array(999) }),
      /pass "w\.safetensors" inside/,
    ],
    ["a NumPy archive", stored({ "a.npy": bytes("x") }), /this one has 0: it is a NumPy archive/],
    ["another zip", stored({ "a.txt": bytes("x"), b: bytes("x") }), /this one has 0: it holds a\.txt, b\./],
  ];
  for (const [what, file, message] of kinds) {
    it(`${what} is called so`, async () => {
      const error = await readCheckpoint(file).catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(CheckpointError).with.property("message").match(message);
    });
  }

  it("by each of the readers, and with the path of a file", async () => {
    expect(() => readSafetensors(bytes(lfs))).to.throw(CheckpointError, /Git LFS pointer/);
    expect(() => readPyTorch(bytes(lfs))).to.throw(CheckpointError, /Git LFS pointer/);
    await inFolder(async (folder) => {
      const path = join(folder, "best.pth");
      await writeFile(path, lfs);
      const error = await readCheckpoint(path).catch((reason: unknown) => reason);
      expect(error)
        .to.have.property("message")
        .match(/best\.pth: the file is a Git LFS pointer/);
    });
  });
});

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "ddad-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A file of parts at offsets, with holes between them that take no room on the disk. */
function sparseFile(
  path: string,
  size: number,
  parts: readonly (readonly [offset: number, Uint8Array])[],
): void {
  const file = openSync(path, "w");
  ftruncateSync(file, size);
  for (const [offset, data] of parts) writeSync(file, data, 0, data.length, offset);
  closeSync(file);
}

/** By how many bytes `work` raises the highest memory of this process; all of a large file would be seen. */
async function memoryOf(work: () => Promise<void>): Promise<number> {
  const before = process.resourceUsage().maxRSS;
  await work();
  return (process.resourceUsage().maxRSS - before) * 1024;
}

const huge = 5 * 2 ** 29; // 2.5 GiB
const last = new Uint8Array(Float32Array.of(3, -4).buffer);

describe("files above 2 GiB", () => {
  const safetensors = (path: string): void => {
    const header = JSON.stringify({
      big: { dtype: "U8", shape: [huge], data_offsets: [0, huge] },
      weight: { dtype: "F32", shape: [1, 2], data_offsets: [huge, huge + 8] },
    });
    const start = bytes(little(header.length, 8), header);
    sparseFile(path, start.length + huge + 8, [
      [0, start],
      [start.length + huge, last],
    ]);
  };

  /** The archive of torch.save with 64-bit sizes; the bytes of storage 0 are a hole. */
  const pytorch = (path: string): void => {
    const root = dict(
      ["big", tensor({ storage: storage("0", huge, "ByteStorage"), shape: [7] })],
      ["weight", tensor({ storage: storage("1", 2), shape: [1, 2], strides: [2, 1] })],
    );
    const parts: [number, Uint8Array][] = [];
    const directory: Part[] = [];
    let at = 0;
    for (const [name, size, data] of [
      ["m/data.pkl", undefined, pickle(bigRoot(root))],
      ["m/data/0", huge, undefined],
      ["m/data/1", undefined, last],
    ] as const) {
      const length = size ?? data!.length;
      const header = bytes(
        "PK",
        3,
        4,
        little(45, 2),
        Array(20).fill(0),
        little(name.length, 2),
        little(0, 2),
        name,
      );
      const extra = [little(1, 2), little(24, 2), little(length, 8), little(length, 8), little(at, 8)];
      const unknown = little(2 ** 32 - 1, 4);
      directory.push(["PK", 1, 2, little(45, 2), little(45, 2), Array(12).fill(0), unknown, unknown]);
      directory.push([little(name.length, 2), little(28, 2), Array(10).fill(0), unknown, name, extra]);
      parts.push([at, header]);
      if (data) parts.push([at + header.length, data]);
      at += header.length + length;
    }
    const list = bytes(directory);
    const record = [
      "PK",
      6,
      6,
      little(44, 8),
      little(45, 2),
      little(45, 2),
      Array(8).fill(0),
      little(3, 8),
      little(3, 8),
    ];
    const end = bytes(
      ...[list, record, little(list.length, 8), little(at, 8)],
      ...["PK", 6, 7, Array(4).fill(0), little(at + list.length, 8), little(1, 4)],
      ...["PK", 5, 6, Array(4).fill(0), Array(12).fill(255), 0, 0],
    );
    sparseFile(path, at + end.length, [...parts, [at, end]]);
  };

  /** Lengths above 2^31 are written as long numbers. */
  function bigRoot(root: Part): Part {
    const short = bytes("J", little(huge % 2 ** 32, 4));
    const flat = bytes(root);
    const index = flat.findIndex((_, i) => short.every((byte, k) => flat[i + k] === byte));
    return bytes(flat.subarray(0, index), 0x8a, 8, little(huge, 8), flat.subarray(index + 5));
  }

  for (const [name, write] of [
    ["safetensors", safetensors],
    ["pth", pytorch],
  ] as const) {
    it(`.${name}: only what is needed is read`, () =>
      inFolder(async (folder) => {
        const path = join(folder, `weights.${name}`);
        write(path);
        const used = await memoryOf(async () => {
          const read = await readCheckpoint(path);
          expect([...read.keys()]).to.deep.equal(["big", "weight"]);
          using layer = new Linear(2, 1, { bias: false });
          expect(layer.loadStateDict(read, { strict: false }).unexpected).to.deep.equal(["big"]);
          expect([...(await layer.weight.data())]).to.deep.equal([3, -4]);
          const weight = read.get("weight")!;
          expect(weight.data).to.equal(weight.data);
        });
        expect(used).to.be.below(300 * 2 ** 20);
      }));

    it(`.${name}: a file that changed, or is cut off`, () =>
      inFolder(async (folder) => {
        const path = join(folder, `weights.${name}`);
        write(path);
        const read = await readCheckpoint(path);
        utimesSync(path, 1, 1);
        expect(() => read.get("weight")!.data).to.throw(
          CheckpointError,
          `readCheckpoint: ${path} cannot be read: it changed while it was in use. Read it again.`,
        );
        rmTail(path);
        const error = await readCheckpoint(path).catch((reason: unknown) => reason);
        expect(error)
          .to.be.instanceOf(CheckpointError)
          .with.property("message")
          .match(/cut off/);
        writeFileSync(path, "");
        expect(() => read.get("big")!.data).to.throw(CheckpointError, /changed while it was in use/);
      }));
  }

  function rmTail(path: string): void {
    const file = openSync(path, "r+");
    ftruncateSync(file, huge - 1000);
    closeSync(file);
  }
});
