/** Files of torch.save that hold objects beside the weights: the weights are read, the objects listed, nothing executed. */
import { expect } from "chai";
import { readPyTorch } from "../src/checkpoint/pytorch/readPyTorch.ts";
import { readCheckpoint } from "../src/checkpoint/readCheckpoint.ts";
import { CheckpointError } from "../src/errors.ts";
import {
  bytes,
  call,
  dict,
  integer,
  legacyFile,
  little,
  named,
  type Part,
  pickle,
  tensor,
  text,
  tuple,
  zipFile,
} from "./pickleFile.ts";

const weights = dict(["a", tensor()]);
const inBoth = (root: Part) => [zipFile(root), legacyFile(root)];

/** An object of a class without arguments, as protocol 2 writes it. */
const object = (module: string, name: string, ...rest: Part[]): Part => [
  named(module, name),
  ")",
  0x81,
  rest,
];
const latin1 = (value: string): Part => call(named("_codecs", "encode"), text(value), text("latin1"));
const state = (...items: readonly (readonly [string, Part])[]): Part => [dict(...items), "b"];

describe("PyTorch's files with objects beside the weights", () => {
  const dtype = [
    call(named("numpy", "dtype"), text("f8"), 0x89, 0x88),
    tuple(integer(3), text("<"), "N"),
    "b",
  ];
  const multiarray = "numpy._core.multiarray";
  const array = [
    call(named(multiarray, "_reconstruct"), named("numpy", "ndarray"), tuple(integer(0)), latin1("b")),
    [tuple(integer(1), tuple(integer(1)), dtype, 0x89, latin1("12345678")), "b"],
  ];
  const namespace = object("argparse", "Namespace", state(["lr", integer(1)], ["weights", tensor()]));
  const partial = [
    call(named("functools", "partial"), named("os", "system")),
    [tuple(named("os", "system"), tuple(text("touch /tmp/x")), dict(), "N"), "b"],
  ];
  const method = call(named("builtins", "getattr"), named("os", "environ"), text("clear"));
  const set = [named("builtins", "set"), ")", 0x81, "(", integer(1), 0x90];

  const cases: [what: string, value: Part, type: string][] = [
    ["a NumPy scalar", call(named(multiarray, "scalar"), dtype, latin1("12345678")), "numpy.generic"],
    ["one of NumPy 1", call(named("numpy.core.multiarray", "scalar"), dtype, latin1("1")), "numpy.generic"],
    ["a NumPy array", array, "numpy.ndarray"],
    ["one of protocol 5", call(named("numpy._core.numeric", "_frombuffer"), dtype), "numpy.ndarray"],
    ["argparse.Namespace", namespace, "argparse.Namespace"],
    ["pathlib.Path", call(named("pathlib", "PosixPath"), text("/"), text("x")), "pathlib.PosixPath"],
    ["datetime", call(named("datetime", "datetime"), latin1("0123456789")), "datetime.datetime"],
    ["a member of an enum", call(named("train", "Mode"), integer(1)), "train.Mode"],
    ["a dataclass", object("train", "Config", state(["lr", integer(1)])), "train.Config"],
    [
      "a dict of another class (yacs, easydict)",
      object("yacs.config", "CfgNode", "(", text("LR"), integer(1), "u", state(["__immutable__", 0x89])),
      "yacs.config.CfgNode",
    ],
    [
      "one with a single item",
      object("easydict", "EasyDict", text("a"), integer(1), "s"),
      "easydict.EasyDict",
    ],
    ["a list of another class", object("train", "Names", "(", text("a"), text("b"), "e"), "train.Names"],
    ["one with a single element", object("train", "Names", text("a"), "a"), "train.Names"],
    ["a set of another class", set, "builtins.set"],
    [
      "omegaconf",
      object("omegaconf.dictconfig", "DictConfig", state(["_parent", "N"])),
      "omegaconf.dictconfig.DictConfig",
    ],
    ["an object with keyword arguments", [named("train", "Best"), ")}", 0x92], "train.Best"],
    ["an object of protocol 1", call(named("copy_reg", "_reconstructor"), named("m", "C"), "N", "N"), "m.C"],
    ["functools.partial", partial, "functools.partial"],
    ["a complex number", call(named("builtins", "complex"), integer(1), integer(2)), "builtins.complex"],
    ["a function", named("train", "collate"), "train.collate"],
    ["the result of getattr", method, "builtins.getattr"],
    ["a call of that", call(method), "builtins.getattr"],
    ["an object of that", [method, ")", 0x81], "builtins.getattr"],
    ["a call of os.system", call(named("os", "system"), text("touch /tmp/x")), "os.system"],
    ["an object with attributes in slots", object("m", "C", tuple("N", dict()), "b"), "m.C"],
    ["a dict from an object", call(named("collections", "OrderedDict"), namespace), "argparse.Namespace"],
    [
      "a tensor of another class",
      call(named("torch._utils", "_rebuild_wrapper_subclass")),
      "torch._utils._rebuild_wrapper_subclass",
    ],
    [
      "a tensor made by another library",
      call(
        named("torch._tensor", "_rebuild_from_type_v2"),
        named("m", "make"),
        named("m", "T"),
        tuple(),
        dict(),
      ),
      "m.T",
    ],
  ];
  for (const [what, value, type] of cases) {
    it(what, () => {
      for (const file of inBoth(dict(["extra", value], ["state_dict", weights]))) {
        const read = readPyTorch(file);
        expect([...read]).to.deep.equal([["a", { shape: [2], dtype: "f32", data: Float32Array.of(1, 2) }]]);
        expect(read.entry).to.equal("state_dict");
        expect(read.leftOut).to.deep.equal([{ path: "extra", tensors: 0 }]);
        expect(read.opaque).to.deep.equal([{ path: "extra", type }]);
      }
    });
  }

  it("is listed where it lies: in dicts, lists and among the weights", () => {
    const hooks = ["](", namespace, integer(1), method, "e"];
    const root = dict(["cfg", dict(["hooks", hooks])], ["model", dict(["a", tensor()], ["note", namespace])]);
    const read = readPyTorch(zipFile(root));
    expect([...read.keys()]).to.deep.equal(["a"]);
    expect(read.opaque).to.deep.equal([
      { path: "cfg.hooks.0", type: "argparse.Namespace" },
      { path: "cfg.hooks.2", type: "builtins.getattr" },
      { path: "model.note", type: "argparse.Namespace" },
    ]);
  });

  it("plain values are not opaque: deque, defaultdict with any default, Size, device, dtype, bytes", () => {
    const values = dict(
      ["deque", [call(named("collections", "deque"), tuple(), integer(3)), "(", integer(1), tensor(), "e"]],
      ["default", [call(named("collections", "defaultdict"), partial), "(", text("b"), tensor(), "u"]],
      ["size", call(named("torch", "Size"), tuple(integer(2)))],
      ["device", call(named("torch", "device"), text("cuda"), integer(0))],
      ["dtype", named("torch", "float16")],
      ["empty", call(named("__builtin__", "bytes"))],
      ["bytearray", call(named("builtins", "bytearray"))],
    );
    const read = readPyTorch(zipFile(values));
    expect([...read.keys()]).to.deep.equal(["deque.1", "default.b"]);
    expect(read.opaque).to.deep.equal([]);
  });

  it("long bytes and texts in every length's instruction, longer than a pickle may be", () => {
    const long = new Uint8Array(18 * 2 ** 20).fill(0x61);
    for (const start of [
      ["B", little(long.length, 4)],
      [0x8e, little(long.length, 8)],
      [0x96, little(long.length, 8)],
      ["X", little(long.length, 4)],
      [0x8d, little(long.length, 8)],
      ["T", little(long.length, 4)],
    ]) {
      // Frames and memory as protocol 5 writes them.
      const before = bytes(0x80, 5, 0x95, little(10, 8), "}", 0x94, "(", text("log"), start);
      const after = bytes(0x94, text("a"), tensor(), "u.");
      const file = new Uint8Array(before.length + long.length + after.length);
      file.set(before);
      file.set(long, before.length);
      file.set(after, before.length + long.length);
      const read = readPyTorch(zipFile([], undefined, { "data.pkl": file }));
      expect([...read.keys()]).to.deep.equal(["a"]);
    }
  });

  it("an object that contains itself, a list that does, a tuple that does", () => {
    const loop = [named("m", "C"), ")", 0x81, "q", 9, "}", text("me"), "h", 9, "sb"];
    const list = ["]q", 8, "h", 8, "a"];
    const inTuple = ["]q", 7, "(", "h", 7, 0x30, "h", 7, 0x31, "h", 7];
    const root = dict(["loop", loop], ["list", list], ["tuple", tuple(inTuple)], ["net", weights]);
    const read = readPyTorch(zipFile(root));
    expect([...read.keys()]).to.deep.equal(["a"]);
    expect(read.leftOut.map(({ path }) => path)).to.deep.equal(["loop", "list", "tuple"]);
    expect(read.opaque).to.deep.equal([{ path: "loop", type: "m.C" }]);
  });

  it("byte strings of Python 2 that are no texts", () => {
    const root = dict(["raw", ["U", 2, 0xff, 0xfe]], ["model", weights]);
    expect([...readPyTorch(zipFile(root)).keys()]).to.deep.equal(["a"]);
  });

  it("source texts of classes in files before 1.6", () => {
    const module = [tuple(text("module"), named("m", "Net"), text("net.py"), text("class Net: pass")), "Q"];
    const read = readPyTorch(legacyFile(dict(["net", module], ["weights", weights])));
    expect(read.opaque).to.deep.equal([{ path: "net", type: "m.Net" }]);
    expect([...read.keys()]).to.deep.equal(["a"]);
  });

  it("lists at most a thousand", () => {
    const many = ["](", Array(3000).fill(named("m", "f")), "e"];
    expect(readPyTorch(zipFile(dict(["many", many], ["model", weights]))).opaque).to.have.length(1000);
  });

  it("a class whose name drives a terminal is listed escaped and cut", () => {
    const name = `evil\x1b[2J${"x".repeat(2 ** 20)}`;
    const [opaque] = readPyTorch(zipFile(dict(["f", named("os", name)], ["model", weights]))).opaque;
    expect(opaque!.type)
      .to.match(/^os\.evil\\u001b\[2Jx+…$/)
      .and.to.have.length.below(100);
  });
});

describe("PyTorch's files whose weights are objects", () => {
  const namespace = object("argparse", "Namespace");
  const array = call(named("numpy.core.multiarray", "_reconstruct"), named("numpy", "ndarray"));
  const refuses = async (root: Part, message: RegExp, entry?: string): Promise<void> => {
    for (const file of [zipFile(root, {}), legacyFile(root, {})]) {
      const error = await readCheckpoint(file, { entry }).catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(CheckpointError).with.property("message").match(message);
    }
  };

  it("names them and the cure", async () => {
    await refuses(
      object("ultralytics.nn.tasks", "Model"),
      /holds no tensor\. .*: it is ultralytics\.nn\.tasks\.Model\./,
    );
    await refuses(
      dict(["model", namespace]),
      /"model" is argparse\.Namespace\. In Python, save the weights alone/,
    );
    await refuses(
      dict(["w", array], ["b", array]),
      /"w" is numpy\.ndarray, "b" is numpy\.ndarray\. In Python, convert arrays with torch\.from_numpy/,
    );
    await refuses(
      dict(["ema", namespace], ["a", integer(1)]),
      /"ema" holds no tensor\..*"ema" is argparse/,
      "ema",
    );
  });

  it("does not take the state of an optimiser for the weights", () => {
    const optimiser = dict(["state", dict(["exp_avg", tensor()])]);
    const root = dict(["model", object("m", "Net")], ["optimizer", optimiser], ["lr_scheduler", dict()]);
    expect(() => readPyTorch(zipFile(root))).to.throw(
      CheckpointError,
      /holds no weights that are read\. Objects are not read: "model" is m\.Net\. In Python, save the weights alone/,
    );
    expect([...readPyTorch(zipFile(root), { entry: "optimizer" }).keys()]).to.deep.equal(["state.exp_avg"]);
    const ema = dict(["model", object("m", "Net")], ["ema", weights], ["optimizer", optimiser]);
    expect([...readPyTorch(zipFile(ema), { entry: "ema" }).keys()]).to.deep.equal(["a"]);
  });

  it("a plain pickle", async () => {
    const error = await readCheckpoint(pickle(namespace)).catch((reason: unknown) => reason);
    expect(error)
      .to.have.property("message")
      .match(/a pickle of an object of argparse\.Namespace, but not a file/);
  });
});

describe("PyTorch's files: types since 2.1", () => {
  it("8-bit floats and unsigned integers, of storages without a type", () => {
    const untyped = (length: number): Part => [
      tuple(
        text("storage"),
        named("torch.storage", "UntypedStorage"),
        text("0"),
        text("cpu"),
        integer(length),
      ),
      "Q",
    ];
    const typed = (type: string, count: number): Part =>
      call(
        named("torch._utils", "_rebuild_tensor_v3"),
        ...[
          untyped(8),
          integer(0),
          tuple(integer(count)),
          tuple(integer(1)),
          0x89,
          "N",
          named("torch", type),
        ],
      );
    const data = Uint8Array.of(0x38, 0xb8, 0, 0, 0, 0, 0, 0x80);
    const types = { float8_e4m3fn: 2, float8_e5m2: 2, uint16: 1, uint32: 2, uint64: 1 };
    const root = dict(...Object.entries(types).map(([type, count]) => [type, typed(type, count)] as const));
    const read = readPyTorch(zipFile(root, { 0: data }));
    expect([...read].map(([, { dtype, data: values }]) => [dtype, [...values]])).to.deep.equal([
      ["f8e4m3", [1, -1]],
      ["f8e5m2", [0.5, -0.5]],
      ["u16", [0xb838]],
      ["u32", [0xb838, 0x80000000]],
      ["u64", [0x800000000000b838n]],
    ]);
  });
});
