/** Files of PyTorch's that are refused: one sentence each, soon, and nothing executed. */
import { expect } from "chai";
import { readPyTorch } from "../src/checkpoint/pytorch/readPyTorch.ts";
import { readCheckpoint } from "../src/checkpoint/readCheckpoint.ts";
import { CheckpointError } from "../src/errors.ts";
import {
  bytes,
  call,
  dict,
  floats,
  integer,
  legacyFile,
  little,
  named,
  type Part,
  storage,
  tensor,
  text,
  tuple,
  zipFile,
} from "./pickleFile.ts";

const refuses = (file: Uint8Array, message: RegExp): void => {
  expect(() => readPyTorch(file)).to.throw(CheckpointError, message);
};

describe("PyTorch's files that hold more than tensors", () => {
  const foreign: [string, Part, RegExp][] = [
    ["a call of os.system", call(named("os", "system"), text("touch /tmp/x")), /holds os\.system, and only/],
    ["a call of eval", call(named("builtins", "eval"), text("1")), /holds builtins\.eval, and only/],
    ["a name only", dict(["a", named("posix", "system")]), /holds posix\.system/],
    ["a name from the stack", [text("os"), text("system"), 0x93], /holds os\.system/],
    [
      "a name like one of JavaScript's",
      named("constructor", "constructor"),
      /holds constructor\.constructor/,
    ],
    [
      "a whole network",
      named("torch.nn.modules.conv", "Conv2d"),
      /Conv2d, .* torch\.save\(model\.state_dict/,
    ],
    ["numpy", named("numpy.core.multiarray", "scalar"), /holds numpy\.core\.multiarray\.scalar/],
    [
      "complex numbers",
      storage("0", 2, "ComplexFloatStorage"),
      /torch\.ComplexFloatStorage, complex numbers/,
    ],
    ["a quantised tensor", named("torch._utils", "_rebuild_qtensor"), /quantised.*dequantize\(\)/],
    ["a sparse tensor", named("torch._utils", "_rebuild_sparse_tensor"), /sparse.*to_dense\(\)/],
    ["an unknown type", named("torch", "float8_e4m3fn"), /float8_e4m3fn, an unsupported element type/],
    ["a call of a class", call(named("torch", "Tensor")), /it calls torch\.Tensor/],
    ["a call of a number", call(integer(3)), /it calls 3/],
    ["an object of a class", [named("torch", "Tensor"), ")", 0x81], /instruction 0x81, which torch\.save/],
    ["attributes of a class", [named("torch", "Tensor"), "}b"], /sets attributes .* of torch\.Tensor/],
    ["a type that makes itself", fromType(named("torch._tensor", "_rebuild_from_type_v2")), /made by torch/],
  ];
  for (const [what, part, message] of foreign) {
    it(what, () => {
      refuses(zipFile(part), message);
      refuses(legacyFile(part), message);
    });
  }

  function fromType(how: Part): Part {
    return call(named("torch._tensor", "_rebuild_from_type_v2"), how, named("torch", "Tensor"), tuple(), "N");
  }

  it("a lazy negation", () => {
    const args = [storage("0", 2), integer(0), tuple(integer(2)), tuple(integer(1)), 0x89, "N"];
    const metadata = dict(["neg", 0x88]);
    refuses(
      zipFile(call(named("torch._utils", "_rebuild_tensor_v2"), ...args, metadata)),
      /save tensor\.resolve_neg\(\)/,
    );
  });
});

describe("PyTorch's files that are damaged", () => {
  it("every truncation, of both containers", () => {
    const root = dict(["a", tensor()], ["b", tensor({ storage: storage("1", 3), shape: [3] })]);
    const storages = { 0: floats(1, 2), 1: floats(3, 4, 5) };
    for (const whole of [zipFile(root, storages), legacyFile(root, storages)]) {
      expect(readPyTorch(whole).size).to.equal(2);
      for (let length = 0; length < whole.length; length++) {
        expect(() => readPyTorch(whole.subarray(0, length)), `${length} bytes`).to.throw(CheckpointError);
      }
    }
  });

  it("any byte changed: read or refused, never anything else", () => {
    for (const whole of [zipFile(dict(["a", tensor()])), legacyFile(dict(["a", tensor()]))]) {
      for (let at = 0; at < whole.length; at++) {
        for (const value of [0, 0x28, 0x7f, 0xff]) {
          const changed = Uint8Array.from(whole);
          changed[at] = value;
          try {
            readPyTorch(changed);
          } catch (error) {
            expect(error, `byte ${at} = ${value}`).to.be.instanceOf(CheckpointError);
          }
        }
      }
    }
  });

  const good = dict(["a", tensor()]);
  const shaped = (parts: Parameters<typeof tensor>[0]): Uint8Array => zipFile(dict(["a", tensor(parts)]));
  const big = new TextEncoder().encode("big");
  const cases: [string, Uint8Array, RegExp][] = [
    ["big endian, zip", zipFile(good, undefined, { byteorder: big }), /stored "big"-endian/],
    ["big endian, legacy", legacyFile(good, undefined, { littleEndian: false }), /stored "big"-endian/],
    ["another pickle", legacyFile(good, undefined, { magic: integer(5) }), /not one of torch\.save/],
    ["another version", legacyFile(good, undefined, { version: 1002 }), /version 1002 .*only 1001/],
    ["protocol 1", bytes(0x80, 1, "N."), /protocol 1; torch\.save writes 2 to 5/],
    ["protocol 0", bytes(0x80, 2, "I5\n."), /instruction 0x49, which torch\.save does not write/],
    ["no storage", zipFile(good, {}), /storage 0 is not in the archive/],
    ["a storage too short", zipFile(good, { 0: floats(1) }), /storage 0 needs 8 bytes, .* has 4/],
    ["a storage too long", zipFile(good, { 0: floats(1, 2, 3) }), /storage 0 needs 8 bytes, .* has 12/],
    [
      "a storage longer than the file",
      zipFile(dict(["a", tensor({ storage: storage("0", 2 ** 31 - 1) })])),
      /needs 8589934588 bytes/,
    ],
    ["a legacy storage longer than the file", legacyFile(good, { 0: floats() }, { length: 2 }), /cut off/],
    ["a legacy storage of another length", legacyFile(good, undefined, { length: 2 ** 50 }), /tensors say 2/],
    ["a legacy storage that is not there", legacyFile(good, {}), /storage 0 is not in the file/],
    ["a shape beyond the storage", shaped({ shape: [3] }), /"a" \[3\] needs 3 elements .* has 2/],
    ["an offset beyond it", shaped({ offset: 1 }), /"a" \[2\] needs 3 elements .* has 2/],
    ["strides beyond it", shaped({ strides: [2] }), /"a" \[2\] needs 3 elements .* has 2/],
    ["strides that do not fit", shaped({ strides: [1, 1] }), /1 extents and 2 strides/],
    ["a negative stride", shaped({ strides: [-1] }), /strides must be whole numbers, 0 or more/],
    [
      "a huge tensor of one element",
      shaped({ shape: [2 ** 30, 2 ** 30], strides: [0, 0] }),
      /would take 4611686018427388000 bytes/,
    ],
    ["no tensors", zipFile(dict(["lr", integer(3)])), /it holds no tensor/],
    ["compressed entries", compressed(), /"model\/data\.pkl" compressed, as torch\.save never does/],
    ["TorchScript", zipFile(good, undefined, { "constants.pkl": bytes("x") }), /TorchScript program/],
    ["a text that is none", zipFile(["X", little(1, 4), 0xff]), /byte 7 is no UTF-8/],
    ["a text without end", zipFile(["X", little(2 ** 31, 4), "a"]), /cut off: 2147483648 bytes are needed/],
    ["a number of a gigabyte", zipFile([0x8b, little(2 ** 30, 4)]), /whole number of 1073741824 bytes/],
    ["a value never kept", zipFile(["h", 7]), /recalls value 7/],
    ["nothing to take", zipFile(["R"]), /finds no value/],
    ["no mark", zipFile(["t"]), /no mark/],
  ];
  for (const [what, file, message] of cases) it(what, () => refuses(file, message));

  function compressed(): Uint8Array {
    const file = Uint8Array.from(zipFile(good));
    const view = new DataView(file.buffer);
    const directory = view.getUint32(file.length - 6, true);
    view.setUint16(directory + 10, 8, true);
    return file;
  }

  it("a directory that lists more than the file can hold", () => {
    const file = Uint8Array.from(zipFile(good));
    new DataView(file.buffer).setUint16(file.length - 14, 65535, true);
    refuses(file, /the directory lists more than there is/);
  });

  it("an archive of something else, and a file of nothing", async () => {
    refuses(bytes("PK", 5, 6, Array(18).fill(0)), /one data\.pkl in a folder; this one has 0/);
    refuses(bytes(), /cut off or damaged/);
    const error = await readCheckpoint(bytes("PK", 3, 4, "nothing more")).catch((reason: Error) => reason);
    expect(error).to.be.instanceOf(CheckpointError);
  });
});

describe("PyTorch's files that are bombs", () => {
  it("lists inside lists inside lists", () => {
    const depth = 300_000;
    refuses(zipFile(["]".repeat(depth), "a".repeat(depth - 1)]), /nested more than 64 deep/);
  });

  it("a list in itself", () => {
    refuses(zipFile(["]q", 0, "h", 0, "a"]), /nested more than 64 deep/);
    refuses(zipFile(["}q", 0, text("state_dict"), "h", 0, "s"]), /nested more than 64 deep/);
  });

  it("a list of twice the same list, forty times over", () => {
    const doubled = Array.from({ length: 40 }, (_, i) => ["](", "h", i, "h", i, "eq", i + 1]);
    refuses(zipFile(["]q", 0, doubled]), /nests more than 1000000 values/);
  });

  it("containers without end", () => {
    refuses(zipFile(["(", "}".repeat(1_200_000), "t"]), /makes more than 1000000 objects/);
  });

  it("one long list copied again and again", () => {
    const copy = [named("builtins", "set"), "h", 0, 0x85, "R"];
    refuses(
      zipFile(["](", "N".repeat(100_000), "eq", 0, Array(50).fill(copy)]),
      /makes more than 1000000 objects/,
    );
  });

  it("a pickle of many megabytes", () => {
    refuses(
      zipFile([], {}, { "data.pkl": new Uint8Array(17 * 2 ** 20).fill(0x4e) }),
      /more than 16777216 bytes/,
    );
  });

  it("one storage named a thousand times", () => {
    const many = Array.from(
      { length: 1000 },
      (_, i) => [`t${i}`, tensor({ storage: storage("0", 65536), shape: [65536] })] as const,
    );
    refuses(zipFile(dict(...many), { 0: new Uint8Array(4 * 65536) }), /would take 262144000 bytes/);
  });
});
