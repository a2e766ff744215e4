import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { sharedOrSkip } from "../../tensor/test/shared.ts";
import { e4m3, e5m2 } from "../src/checkpoint/float8.ts";
import { narrowBfloat16, narrowFloat16, widenBfloat16, widenFloat16 } from "../src/checkpoint/float16.ts";
import { readCheckpoint } from "../src/checkpoint/readCheckpoint.ts";
import { readSafetensors, writeSafetensors } from "../src/checkpoint/safetensors.ts";
import { CheckpointError } from "../src/errors.ts";
import { Linear } from "../src/layers/linear.ts";
import type { StateDict } from "../src/stateDict.ts";

/** A file from its header (text or object) and the bytes after it. */
function file(header: string | object, data: number[] | Uint8Array = []): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

const u8 = (begin: number, end: number, shape = [end - begin]) => ({
  dtype: "U8",
  shape,
  data_offsets: [begin, end],
});

describe("safetensors", () => {
  const everyType: StateDict = new Map([
    ["small", { shape: [3], dtype: "i8", data: new Int8Array([-1, 0, 127]) }],
    ["bool", { shape: [2], dtype: "bool", data: new Uint8Array([1, 0]) }],
    ["half", { shape: [2], dtype: "f16", data: new Float32Array([0.5, -65504]) }],
    ["brain", { shape: [2], dtype: "bf16", data: new Float32Array([1, -(2 ** 100)]) }],
    ["weight", { shape: [2, 3], dtype: "f32", data: new Float32Array([1, 2, 3, 4, 5, 1e-40]) }],
    ["double", { shape: [1], dtype: "f64", data: new Float64Array([Math.PI]) }],
    ["counter", { shape: [], dtype: "i64", data: new BigInt64Array([2n ** 62n]) }],
    ["int", { shape: [1], dtype: "i32", data: new Int32Array([-7]) }],
    ["short", { shape: [1], dtype: "i16", data: new Int16Array([-300]) }],
    ["byte", { shape: [1], dtype: "u8", data: new Uint8Array([255]) }],
    ["word", { shape: [2], dtype: "u16", data: new Uint16Array([0, 65535]) }],
    ["long word", { shape: [1], dtype: "u32", data: new Uint32Array([2 ** 32 - 1]) }],
    ["longest word", { shape: [1], dtype: "u64", data: new BigUint64Array([2n ** 64n - 1n]) }],
    ["eighth", { shape: [3], dtype: "f8e4m3", data: new Float32Array([448, -(2 ** -9), 0.4375]) }],
    ["wide eighth", { shape: [3], dtype: "f8e5m2", data: new Float32Array([57344, -(2 ** -16), 0.4375]) }],
    ["empty", { shape: [0, 4], dtype: "f32", data: new Float32Array(0) }],
    ['strange "name" \\ é', { shape: [1], dtype: "f32", data: new Float32Array([9]) }],
  ]);

  it("gives back what was written: every type, order of names, metadata", () => {
    const bytes = writeSafetensors(everyType, { protocol: "strict", note: "ü" });
    const read = readSafetensors(bytes);
    expect([...read]).to.deep.equal([...everyType]);
    expect(read.metadata).to.deep.equal({ protocol: "strict", note: "ü" });
  });

  it("aligns the data to 8 bytes, and every array to its elements", () => {
    const bytes = writeSafetensors(everyType);
    const length = new DataView(bytes.buffer).getUint32(0, true);
    expect((8 + length) % 8).to.equal(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    expect(header["counter"].data_offsets[0] % 8).to.equal(0);
    expect(header["weight"].data_offsets[0] % 4).to.equal(0);
    expect(header).not.to.have.property("__metadata__");
  });

  it("reads a file written elsewhere, byte by byte", () => {
    const bytes = file(
      { "a.b": { dtype: "F32", shape: [1, 2], data_offsets: [0, 8] } },
      [0, 0, 128, 63, 0, 0, 0, 192],
    );
    const shifted = new Uint8Array(bytes.length + 3).subarray(3); // the file may lie anywhere in its buffer
    shifted.set(bytes);
    expect([...readSafetensors(shifted)]).to.deep.equal([
      ["a.b", { shape: [1, 2], dtype: "f32", data: new Float32Array([1, -2]) }],
    ]);
  });

  it("copies: the arrays do not change with the file's bytes", () => {
    const bytes = file({ a: u8(0, 1) }, [5]);
    const read = readSafetensors(bytes);
    bytes.fill(0);
    expect(read.get("a")?.data[0]).to.equal(5);
  });

  const refusals: [string, Uint8Array, RegExp][] = [
    ["an empty file", new Uint8Array(0), /the file is empty \(0 bytes\)/],
    ["a file of five bytes", Uint8Array.of(1, 200, 3, 4, 5), /the file has 5 bytes, fewer than the 8/],
    ["a huge header", new Uint8Array(16).fill(255), /the header claims .* bytes, more than the 100000000/],
    [
      "a cut header",
      file({ a: u8(0, 1) }, [0]).subarray(0, 20),
      /cut off: the header needs \d+ bytes, the file has 20/,
    ],
    ["cut data", file({ a: u8(0, 4) }, [0, 0]), /"a" ends at byte 4 of the data, which has 2/],
    ["broken JSON", file('{"a": '), /the header is not JSON/],
    ["broken UTF-8", file({}).fill(255, 9), /the header is not JSON in UTF-8/],
    ["a list", file("[]"), /must start with "\{"/],
    [
      "a name twice",
      file('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\\u0061":{}}'),
      /"a" occurs twice/,
    ],
    [
      "a type that is no name",
      file({ a: { ...u8(0, 1), dtype: ["F8"] } }, [0]),
      /"a" has dtype \["F8"\]; known are F64, F32/,
    ],
    [
      "a range that ends before it begins",
      file({ a: { ...u8(0, 1), dtype: "F4", data_offsets: [1, 0] } }, [0]),
      /range has -1/,
    ],
    ["a bad shape", file({ a: u8(0, 1, [-1]) }, [0]), /"a" has shape \[-1\]/],
    [
      "bad offsets",
      file({ a: { ...u8(0, 1), data_offsets: [0] } }, [0]),
      /data_offsets \[0\]; they must be \[begin, end\]/,
    ],
    [
      "another size",
      file({ a: u8(0, 3, [2]) }, [0, 0, 0]),
      /"a" \(U8 \[2\]\) needs 2 bytes, but its range has 3/,
    ],
    ["overlap", file({ a: u8(0, 2), b: u8(1, 3) }, [0, 0, 0]), /"b" and "a" overlap/],
    ["a hole", file({ a: u8(0, 1), b: u8(2, 3) }, [0, 0, 0]), /bytes 1 to 2 of the data belong to no tensor/],
    ["a tail", file({ a: u8(0, 1) }, [0, 0, 0]), /2 bytes after the last tensor/],
    ["metadata that are no texts", file({ __metadata__: { a: 1 } }), /__metadata__ must map names to texts/],
    ["a tensor that is no object", file({ a: 3 }), /"a" must be described by an object/],
  ];
  for (const [what, bytes, message] of refusals) {
    it(`refuses ${what}`, () => expect(() => readSafetensors(bytes)).to.throw(CheckpointError, message));
  }

  it("lists tensors of types that are not read, and refuses them by name when they are needed", () => {
    const types = ["F4", "F6_E2M3", "F8_E8M0", "F8_E4M3FNUZ", "C64", "Q4_K"];
    const others = types.map((dtype, i) => [dtype, { ...u8(i, i + 1, [2]), dtype }] as const);
    const bytes = file({ ...Object.fromEntries(others), a: u8(6, 7) }, [0, 0, 0, 0, 0, 0, 9]);
    const read = readSafetensors(bytes);
    expect(read.unreadable).to.deep.equal(types.map((type) => ({ name: type, type, shape: [2] })));
    expect([...read.get("a")!.data]).to.deep.equal([9]);
    for (const type of types) {
      expect(read.get(type)).to.include({ dtype: "other" });
      const message = new RegExp(
        `"${type}" has element type ${type}, which is not read; read are F64, .*BOOL`,
      );
      expect(() => read.get(type)!.data).to.throw(CheckpointError, message);
      expect(() => writeSafetensors(read)).to.throw(CheckpointError, /has element type F4/);
    }
  });

  it("a layer loads from 8-bit floats, does not mind other types beside them, and names one that it needs", async () => {
    const weight = { dtype: "F8_E4M3", shape: [1, 2], data_offsets: [0, 2] };
    const bias = { dtype: "U8", shape: [1], data_offsets: [2, 3] };
    using layer = new Linear(2, 1);
    const load = (header: object) =>
      layer.loadStateDict(readSafetensors(file(header, [0x38, 0xb0, 0])), { strict: false });
    expect(load({ weight, other: { ...bias, dtype: "F4" } })).to.deep.equal({
      missing: ["bias"],
      unexpected: ["other"],
    });
    expect([...(await layer.weight.data())]).to.deep.equal([1, -0.5]);
    expect(() => load({ weight, bias: { ...bias, dtype: "F4" } })).to.throw(
      CheckpointError,
      /"bias" has element type F4, which is not read/,
    );
  });

  it("names and shapes of many megabytes, deeply nested", () => {
    const long = "n".repeat(2 ** 24);
    expect(readSafetensors(file({ [long]: u8(0, 1) }, [7])).get(long)!.data[0]).to.equal(7);
    const refused = (header: string, message: RegExp) => {
      const read = () => readSafetensors(file(header));
      expect(read).to.throw(CheckpointError, message);
      expect(read).to.throw(CheckpointError).with.property("message").with.length.below(400);
    };
    const nested = `${"[".repeat(5000)}${"]".repeat(5000)}`;
    refused(`{"a":{"dtype":"U8","shape":${nested},"data_offsets":[0,0]}}`, /has shape \[…\]/);
    refused(`{"a":{"dtype":${nested},"shape":[],"data_offsets":[0,0]}}`, /has dtype \[…\]/);
    refused(`{"${long}":3}`, /"n{80}…" must be described/);
  });

  it("refuses every truncation of a good file", () => {
    const bytes = writeSafetensors(everyType);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => readSafetensors(bytes.subarray(0, length)), `${length} bytes`).to.throw(CheckpointError);
    }
  });

  it("refuses to write what it could not read back", () => {
    const write = (name: string, entry: object) => () =>
      writeSafetensors(new Map([[name, entry]]) as StateDict);
    const data = new Float32Array(2);
    expect(write("__metadata__", { shape: [2], dtype: "f32", data })).to.throw(/cannot be called/);
    expect(write("a", { shape: [3], dtype: "f32", data })).to.throw(/"a" has shape \[3\] but 2 elements/);
    expect(write("a", { shape: [2], dtype: "i64", data })).to.throw(
      /dtype i64, which a Float32Array cannot hold/,
    );
  });
});

describe("16-bit floats", () => {
  it("every f16 survives widening and narrowing", () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i).filter((half) => (half & 0x7fff) <= 0x7c00);
    expect(narrowFloat16(widenFloat16(all))).to.deep.equal(all);
    expect(narrowBfloat16(widenBfloat16(all))).to.deep.equal(all);
  });

  it("rounds to the nearest, ties to even", () => {
    const narrowed = (...values: number[]) => [...widenFloat16(narrowFloat16(new Float32Array(values)))];
    expect(narrowed(1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 ** -25, 1.5 * 2 ** -24)).to.deep.equal([
      1,
      1 + 2 ** -9,
      0,
      2 ** -23,
    ]);
    expect(narrowed(65519, 65520, -1e9, 2047.9, 0.1)).to.deep.equal([
      65504,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      2048,
      0.0999755859375,
    ]);
    expect(narrowed(Number.NaN)[0]).to.be.NaN;
    expect([
      ...widenBfloat16(narrowBfloat16(new Float32Array([1 + 2 ** -8, 1 + 3 * 2 ** -8]))),
    ]).to.deep.equal([1, 1 + 2 ** -6]);
  });
});

describe("8-bit floats", () => {
  const codes = Uint8Array.from({ length: 256 }, (_, code) => code);

  it("every code survives widening and narrowing", () => {
    for (const [format, nan] of [
      [e4m3, [0x7f, 0xff]],
      [e5m2, [0x7d, 0x7e, 0x7f, 0xfd, 0xfe, 0xff]],
    ] as const) {
      const widened = format.widen(codes);
      expect([...codes].filter((code) => Number.isNaN(widened[code]))).to.deep.equal(nan);
      const numbers = codes.filter((code) => !Number.isNaN(widened[code]));
      expect(format.narrow(format.widen(numbers))).to.deep.equal(numbers);
    }
  });

  it("E5M2 is the upper half of binary16", () => {
    expect(e5m2.widen(codes)).to.deep.equal(widenFloat16(Uint16Array.from(codes, (code) => code << 8)));
  });

  it("E4M3: the values of its definition", () => {
    const values = { 1: 2 ** -9, 7: 7 * 2 ** -9, 8: 2 ** -6, 56: 1, 57: 1.125, 126: 448, 254: -448 };
    const widened = e4m3.widen(codes);
    for (const [code, value] of Object.entries(values)) expect(widened[Number(code)], code).to.equal(value);
  });

  it("rounds to the nearest, ties to even, as PyTorch does", () => {
    const narrowed = (format: typeof e4m3, ...values: number[]) => [
      ...format.widen(format.narrow(new Float32Array(values))),
    ];
    expect(narrowed(e4m3, 1.0625, 1.1875, 2 ** -10, 3 * 2 ** -10, 464, -464)).to.deep.equal([
      1,
      1.25,
      0,
      2 ** -8,
      448,
      -448,
    ]);
    expect(narrowed(e4m3, 465, Number.NEGATIVE_INFINITY, Number.NaN).every(Number.isNaN)).to.equal(true);
    expect(narrowed(e5m2, 1.125, 1.375, 61439, 61440, -1e30)).to.deep.equal([
      1,
      1.5,
      57344,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
  });
});

describe("readCheckpoint", () => {
  const bytes = writeSafetensors(new Map([["a", { shape: [1], dtype: "f32", data: new Float32Array([4]) }]]));

  it("reads bytes and paths", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ddad-"));
    try {
      const path = join(folder, "weights.safetensors");
      await writeFile(path, bytes);
      expect((await readCheckpoint(path)).get("a")?.data[0]).to.equal(4);
      expect((await readCheckpoint(bytes)).get("a")?.data[0]).to.equal(4);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  const failure = async (source: Uint8Array | string): Promise<Error> =>
    readCheckpoint(source).then(
      () => expect.fail("it was read"),
      (error: Error) => error,
    );

  it("reads real half-precision weights", async function () {
    const path = sharedOrSkip(this, "weights", "resnet50v2_imagenet_f16.safetensors");
    const weights = await readCheckpoint(path);
    expect(weights.size).to.be.above(100);
    for (const [name, { shape, data }] of weights) {
      expect(data.length, name).to.equal(shape.reduce((count, extent) => count * extent, 1));
    }
    const f16s = [...weights.values()].filter(({ dtype }) => dtype === "f16");
    expect(f16s.length).to.be.above(20);
    expect(f16s.every(({ data }) => data instanceof Float32Array && data.every(Number.isFinite))).to.equal(
      true,
    );
  });

  it("takes only the names below an entry that is asked for", async () => {
    const several = writeSafetensors(
      new Map(
        ["model.a", "model.b", "optimizer.a"].map((name) => [
          name,
          { shape: [], dtype: "u8", data: Uint8Array.of(1) },
        ]),
      ),
    );
    expect([...(await readCheckpoint(several, { entry: "model" })).keys()]).to.deep.equal(["a", "b"]);
    const error = await readCheckpoint(several, { entry: "ema" }).catch((reason: Error) => reason);
    expect(error)
      .to.be.instanceOf(CheckpointError)
      .with.property("message")
      .match(/no name starts with "ema\."/);
  });

  it("is not misled by a header whose length looks like the start of a PyTorch file", async () => {
    for (const length of [0x280, 0x4b50]) {
      const text = JSON.stringify({ a: u8(0, 1) }).padEnd(length);
      expect((await readCheckpoint(file(text, [7]))).get("a")?.data[0]).to.equal(7);
    }
  });

  it("names the path that cannot be read", async () => {
    const error = await failure("/nowhere/weights.safetensors");
    expect(error).to.be.instanceOf(CheckpointError);
    expect(error.message).to.match(/^readCheckpoint: \/nowhere\/weights\.safetensors cannot be read: ENOENT/);
  });
});
