/** Files of torch.save: every tensor of the golden files, and what scripts put around their weights. */
import { readFileSync } from "node:fs";
import { tensor as onDevice } from "@ddad/tensor";
import { expect } from "chai";
import { entry, readNpz, sharedOrSkip } from "../../tensor/test/shared.ts";
import { PyTorchCheckpoint, readPyTorch } from "../src/checkpoint/pytorch/readPyTorch.ts";
import { readCheckpoint } from "../src/checkpoint/readCheckpoint.ts";
import { CheckpointError } from "../src/errors.ts";
import { UNet } from "../src/models/unet/unet.ts";
import type { StateEntry } from "../src/stateDict.ts";
import {
  channelsFirst,
  channelsLast,
  formula,
  formulaWeights,
  largestDifference,
  readLayout,
} from "./golden.ts";
import * as build from "./pickleFile.ts";

const numbers = ({ data }: StateEntry): number[] => Array.from<number | bigint, number>(data, Number);

const types: Readonly<Record<string, string>> = {
  float64: "f64",
  float32: "f32",
  float16: "f16",
  bfloat16: "bf16",
  int64: "i64",
  int32: "i32",
  int16: "i16",
  int8: "i8",
  uint8: "u8",
  bool: "bool",
};

describe("PyTorch's files against PyTorch", () => {
  for (const container of ["zip", "legacy"]) {
    it(`zoo_${container}.pth: every type, stride and offset`, async function () {
      const read = await readCheckpoint(sharedOrSkip(this, "golden", `zoo_${container}.pth`));
      const values = readNpz(sharedOrSkip(this, "golden", "zoo.npz"));
      const facts = JSON.parse(readFileSync(sharedOrSkip(this, "golden", "zoo.json"), "utf8")) as Record<
        string,
        { shape: number[]; dtype: string }
      >;
      expect(read).to.be.instanceOf(PyTorchCheckpoint).with.property("container", container);
      expect([...read.keys()]).to.deep.equal(Object.keys(facts));
      for (const [name, { shape, dtype }] of Object.entries(facts)) {
        const found = read.get(name)!;
        expect(found.shape, name).to.deep.equal(shape);
        expect(found.dtype, name).to.equal(types[dtype]);
        expect(numbers(found), name).to.deep.equal([...entry(values, name, Float64Array).data]);
      }
    });
  }

  it("zoo_net_zip.pth: a network saved under DataParallel", async function () {
    const read = await readCheckpoint(sharedOrSkip(this, "golden", "zoo_net_zip.pth"));
    const values = readNpz(sharedOrSkip(this, "golden", "zoo.npz"));
    const expected = [...values.keys()].filter((key) => key.startsWith("net/"));
    expect([...read.keys()].map((name) => `net/module.${name}`)).to.have.members(expected);
    for (const [name, found] of read) {
      expect(numbers(found), name).to.deep.equal([...entry(values, `net/module.${name}`, Float64Array).data]);
    }
  });

  it("unet_micro.pth: loads into the UNet and gives its output", async function () {
    const read = await readCheckpoint(sharedOrSkip(this, "golden", "unet_micro.pth"));
    const { entries } = readLayout(sharedOrSkip(this, "golden", "unet_micro.layout.json"));
    const arrays = readNpz(sharedOrSkip(this, "golden", "unet_micro.npz"));
    expect([...read.keys()]).to.deep.equal(entries.map(({ name }) => name));
    using net = new UNet({
      imageSize: 32,
      baseChannels: 32,
      heads: 2,
      channelMultipliers: [1, 2],
      blocksPerLevel: 1,
    }).eval();
    for (const [name, { data }] of formulaWeights(net, 4))
      expect(read.get(name)!.data, name).to.deep.equal(data);
    expect(net.loadStateDict(read)).to.deep.equal({ missing: [], unexpected: [] });
    const image = onDevice(channelsLast(formula(900003, 3 * 32 * 32), [1, 3, 32, 32]), [1, 32, 32, 3]);
    const out = net.forward(image, onDevice([500]));
    const values = channelsFirst(await out.data(), out.shape);
    expect(largestDifference(values, entry(arrays, "out", Float32Array).data)).to.be.below(1e-4);
  });
});

describe("PyTorch's files: where the weights are", () => {
  const { dict, integer, tensor, text, zipFile } = build;
  const weights = dict(["a.weight", tensor()], ["a.bias", tensor({ shape: [1] })]);
  const read = (root: build.Part, options = {}) => readPyTorch(zipFile(root), options);
  const names = (root: build.Part, options = {}) => [...read(root, options).keys()];

  it("the file is the state dict", () => {
    const found = read(weights);
    expect([...found]).to.deep.equal([
      ["a.weight", { shape: [2], dtype: "f32", data: Float32Array.of(1, 2) }],
      ["a.bias", { shape: [1], dtype: "f32", data: Float32Array.of(1) }],
    ]);
    expect(found.entry).to.equal("");
    expect(found.container).to.equal("zip");
    expect(found.leftOut).to.deep.equal([]);
  });

  it("beside an optimiser, an epoch and a best score that is a tensor", () => {
    const optimizer = dict(["state", dict(["exp_avg", tensor()], ["exp_avg_sq", tensor()])]);
    const found = read(
      dict(["epoch", integer(3)], ["best", tensor()], ["model", weights], ["optimizer", optimizer]),
    );
    expect([...found.keys()]).to.deep.equal(["a.weight", "a.bias"]);
    expect(found.entry).to.equal("model");
    expect(found.leftOut).to.deep.equal([
      { path: "epoch", tensors: 0 },
      { path: "best", tensors: 1 },
      { path: "optimizer", tensors: 2 },
    ]);
  });

  it("state_dict comes before model, and is looked for again inside", () => {
    const both = dict(
      ["model", dict(["m", tensor()])],
      ["state_dict", dict(["net", weights], ["lr", integer(1)])],
    );
    expect(read(both).entry).to.equal("state_dict.net");
  });

  it("an unusual name, where it is the only one with tensors", () => {
    expect(read(dict(["version", text("1.0")], ["student", weights])).entry).to.equal("student");
  });

  it("several networks: all, with dotted names", () => {
    expect(names(dict(["unet", weights], ["extractor", dict(["b", tensor()])]))).to.deep.equal([
      "unet.a.weight",
      "unet.a.bias",
      "extractor.b",
    ]);
  });

  it("the one that is asked for", async () => {
    const file = dict(["model", weights], ["ema", dict(["shadow", dict(["e", tensor()])])]);
    expect(names(file, { entry: "ema.shadow" })).to.deep.equal(["e"]);
    expect([...(await readCheckpoint(zipFile(file), { entry: "ema" })).keys()]).to.deep.equal(["shadow.e"]);
    expect(() => read(file, { entry: "ema.other" })).to.throw(/no entry "ema\.other": "ema" holds shadow\./);
    expect(() => read(dict(["lr", integer(1)], ["model", weights]), { entry: "lr" })).to.throw(
      /"lr" holds no tensor/,
    );
  });

  it("a list of tensors, or one alone", () => {
    expect(names(build.tuple(tensor(), tensor()))).to.deep.equal(["0", "1"]);
    expect(names(tensor())).to.deep.equal(["tensor"]);
  });

  it("drops module. only where every name has it", () => {
    expect(names(dict(["module.a", tensor()], ["module.b", tensor()]))).to.deep.equal(["a", "b"]);
    expect(names(dict(["module.a", tensor()], ["b", tensor()]))).to.deep.equal(["module.a", "b"]);
  });

  it("two tensors of one name", () => {
    const twice = dict(["a", dict(["b.c", tensor()])], ["a.b", dict(["c", tensor()])]);
    expect(() => read(twice)).to.throw(/two tensors called "a\.b\.c"/);
  });

  it("shared storages do not share memory here", () => {
    const found = read(weights);
    found.get("a.weight")!.data[0] = 9;
    expect(found.get("a.bias")!.data[0]).to.equal(1);
  });
});

describe("PyTorch's files: what its versions write", () => {
  const { call, dict, integer, named, storage, tensor, text, tuple } = build;
  const two = { shape: [2], dtype: "f32", data: Float32Array.of(1, 2) };
  const noHooks = call(named("collections", "OrderedDict"));
  const read = (root: build.Part): [string, StateEntry][] => [...readPyTorch(build.zipFile(root))];

  it("protocol 5: frames, short texts, names from the stack, memory without numbers", () => {
    const short = (value: string): build.Part => [0x8c, value.length, value, 0x94];
    const name = (module: string, member: string): build.Part => [short(module), short(member), 0x93, 0x94];
    const id = [
      "(",
      short("storage"),
      name("torch", "FloatStorage"),
      short("0"),
      short("cpu"),
      "K",
      2,
      "t",
      0x94,
      "Q",
    ];
    const made = [
      "(",
      id,
      "K",
      0,
      "K",
      2,
      0x85,
      "K",
      1,
      0x85,
      0x89,
      name("collections", "OrderedDict"),
      ")",
      "R",
      "t",
    ];
    const root = ["}", 0x94, short("a"), name("torch._utils", "_rebuild_tensor_v2"), made, 0x94, "R", "s"];
    const body = build.bytes(root, ".");
    const pickle = build.bytes(0x80, 5, 0x95, build.little(body.length, 8), body);
    expect([
      ...readPyTorch(build.zipFile([], { 0: build.floats(1, 2) }, { "data.pkl": pickle })),
    ]).to.deep.equal([["a", two]]);
  });

  it("archives with 64-bit sizes", () => {
    const file = build.toZip64(build.zipFile(dict(["a", tensor()])));
    expect([...readPyTorch(file)]).to.deep.equal([["a", two]]);
    for (let length = 0; length < file.length; length++) {
      expect(() => readPyTorch(file.subarray(0, length)), `${length} bytes`).to.throw(CheckpointError);
    }
  });

  it("storages without a type, parameters, tensors with attributes", () => {
    const untyped = [
      tuple(text("storage"), named("torch.storage", "UntypedStorage"), text("0"), text("cpu"), integer(8)),
      "Q",
    ];
    const typed = (type: string) =>
      call(
        named("torch._utils", "_rebuild_tensor_v3"),
        ...[untyped, integer(0), tuple(integer(2)), tuple(integer(1)), 0x89, noHooks, named("torch", type)],
      );
    const subclass = call(
      named("torch._tensor", "_rebuild_from_type_v2"),
      ...[named("torch._utils", "_rebuild_tensor_v2"), named("torch.nn.parameter", "Parameter")],
      tuple(storage("0", 2), integer(0), tuple(integer(2)), tuple(integer(1)), 0x89, noHooks),
      dict(["note", text("mine")]),
    );
    const parameter = call(named("torch._utils", "_rebuild_parameter"), tensor(), 0x88, noHooks);
    expect(read(dict(["a", typed("float32")], ["b", subclass], ["c", parameter]))).to.deep.equal([
      ["a", two],
      ["b", two],
      ["c", two],
    ]);
    expect(() => read(dict(["a", typed("float64")]))).to.throw(/"a" \[2\] needs 2 elements .* has 1/);
  });

  it("plain values of every kind beside the weights", () => {
    const values: [string, build.Part][] = [
      ["size", call(named("torch", "Size"), tuple(integer(2)))],
      ["device", call(named("torch", "device"), text("cuda"), integer(0))],
      ["dtype", named("torch", "float16")],
      ["set", call(named("__builtin__", "set"), ["](", integer(1), "e"])],
      ["members", [0x8f, "(", integer(1), 0x90]],
      ["frozen", ["(", integer(1), 0x91]],
      ["bytes", call(named("_codecs", "encode"), text("ab"), text("latin1"))],
      ["raw", ["C", 2, "ab"]],
      ["default", call(named("collections", "defaultdict"), named("__builtin__", "list"))],
      ["counter", call(named("collections", "Counter"), dict(["a", integer(1)]))],
      ["big", [0x8a, 9, [0, 0, 0, 0, 0, 0, 0, 0, 1]]],
      ["float", ["G", [0x3f, 0xf0, 0, 0, 0, 0, 0, 0]]],
      ["none", "N"],
    ];
    const found = readPyTorch(build.zipFile(dict(...values, ["model", dict(["a", tensor()])])));
    expect([...found]).to.deep.equal([["a", two]]);
    expect(found.leftOut.map(({ path }) => path)).to.deep.equal(values.map(([name]) => name));
  });

  it("attributes of a state dict", () => {
    const metadata = [dict(["_metadata", dict(["version", integer(1)])]), "b"];
    expect(read([noHooks, "(", text("a"), tensor(), "u", metadata])).to.deep.equal([["a", two]]);
  });

  it("Python 2: byte strings, dicts from pairs", () => {
    const pair = ["](", ["U", 1, "a"], tensor(), "e"];
    expect(read(call(named("collections", "OrderedDict"), ["](", pair, "e"]))).to.deep.equal([["a", two]]);
  });

  it("before 0.4: views of storages", () => {
    const view = tuple(text("view"), integer(1), integer(2));
    const id = [
      tuple(text("storage"), named("torch", "FloatStorage"), text("0"), text("cpu"), integer(4), view),
      "Q",
    ];
    const viewed = (shape: number[]) => dict(["a", tensor({ storage: id, shape, strides: [1] })]);
    const storages = { 0: build.floats(1, 2, 3, 4) };
    expect([...readPyTorch(build.legacyFile(viewed([2]), storages))]).to.deep.equal([
      ["a", { ...two, data: Float32Array.of(2, 3) }],
    ]);
    expect(() => readPyTorch(build.legacyFile(viewed([3]), storages))).to.throw(/needs 3 elements .* has 2/);
  });
});
