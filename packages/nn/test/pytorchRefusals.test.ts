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

describe("PyTorch's files whose weights are not tensors that are read", () => {
  const foreign: [string, Part, RegExp][] = [
    [
      "a call of os.system",
      call(named("os", "system"), text("touch /tmp/x")),
      /no tensor.* it is os\.system/,
    ],
    ["a call of eval", call(named("builtins", "eval"), text("1")), /no tensor.* it is builtins\.eval/],
    ["a name only", dict(["a", named("posix", "system")]), /"a" is posix\.system/],
    ["a name from the stack", [text("os"), text("system"), 0x93], /it is os\.system/],
    [
      "a name like one of JavaScript's",
      named("constructor", "constructor"),
      /it is constructor\.constructor/,
    ],
    [
      "a whole network",
      [named("torch.nn.modules.conv", "Conv2d"), ")", 0x81, "}b"],
      /it is torch\.nn\.modules\.conv\.Conv2d\. In Python, save the weights alone: torch\.save\(model\.state_dict/,
    ],
    ["a call of a class", call(named("torch", "Tensor")), /it is torch\.Tensor/],
    ["a call of a number", call(integer(3)), /it calls 3/],
    ["an object of a number", [integer(3), ")", 0x81], /makes an object of 3/],
    ["attributes of a class", [named("torch", "Tensor"), "}b"], /sets attributes .* of torch\.Tensor/],
    ["attributes of a number", [integer(3), "}b"], /sets attributes .* of 3/],
    ["a type that makes itself", fromType(named("torch._tensor", "_rebuild_from_type_v2")), /made by torch/],
    ["a registered class, in one byte", [0x82, 7], /EXT, 0x82\) names a class by a number/],
    ["a registered class, in two", [0x83, 7, 0], /EXT, 0x83/],
    ["a registered class, in four", [0x84, 7, 0, 0, 0], /EXT, 0x84/],
    ["a buffer outside of the file", [0x97], /0x97\) refers to data outside of the file/],
    ["an object of protocol 0", ["(ios\nsystem\n"], /instruction 0x69, which torch\.save does not write/],
    ["an object of protocol 1", ["(", named("os", "system"), "o"], /instruction 0x6f, which/],
  ];
  for (const [what, part, message] of foreign) {
    it(what, () => {
      refuses(zipFile(part), message);
      refuses(legacyFile(part, {}), message);
    });
  }

  function fromType(how: Part): Part {
    return call(named("torch._tensor", "_rebuild_from_type_v2"), how, named("torch", "Tensor"), tuple(), "N");
  }

  const size = tuple(integer(2));
  const window = [integer(0), size, tuple(integer(1))];
  const complex = tensor({ storage: storage("0", 1, "ComplexFloatStorage"), shape: [1] });
  const quantised = storage("0", 8, "QInt8Storage");
  const coo = tuple(tensor(), tensor(), call(named("torch", "Size"), size));
  const meta = named("torch._utils", "_rebuild_meta_tensor_no_storage");
  const negated = [storage("0", 2), ...window, 0x89, "N", dict(["neg", 0x88])];
  const untyped = [
    tuple(text("storage"), named("torch.storage", "UntypedStorage"), text("0"), text("cpu"), integer(8)),
    "Q",
  ];
  const bits = [untyped, ...window, 0x89, "N", named("torch", "bits16")];
  const kinds: [string, Part, RegExp][] = [
    ["complex", complex, /"a" \[1\] has type torch\.ComplexFloatStorage: complex numbers.*view_as_real/],
    [
      "quantised",
      call(named("torch._utils", "_rebuild_qtensor"), quantised, ...window),
      /"a" \[2\] has type torch\.QInt8Storage: a quantised tensor.*dequantize\(\)/,
    ],
    [
      "sparse",
      call(named("torch._utils", "_rebuild_sparse_tensor"), named("torch", "sparse_coo"), coo),
      /"a" \[2\] has type torch\.sparse_coo: a sparse tensor.*to_dense\(\)/,
    ],
    ["without elements", call(meta, named("torch", "float32"), size), /"a" \[2\].* no elements/],
    [
      "a lazy view",
      call(named("torch._utils", "_rebuild_tensor_v2"), ...negated),
      /lazy view.*resolve_neg\(\)/,
    ],
    [
      "of an unknown type",
      call(named("torch._utils", "_rebuild_tensor_v3"), ...bits),
      /"a" \[2\] has type torch\.bits16: an element type that is not read/,
    ],
  ];
  for (const [what, part, message] of kinds) {
    it(`a tensor that is ${what}: refused alone, listed beside others`, () => {
      refuses(zipFile(dict(["a", part])), message);
      const both = readPyTorch(
        zipFile(dict(["a", part], ["b", tensor({ storage: storage("1", 2) })]), {
          0: floats(1, 2),
          1: floats(3, 4),
        }),
      );
      expect(both.unreadable.map(({ name }) => name)).to.deep.equal(["a"]);
      expect(both.get("a")).to.have.property("dtype", "other");
      expect(() => both.get("a")!.data).to.throw(CheckpointError, message);
      expect([...both.get("b")!.data]).to.deep.equal([3, 4]);
    });
  }

  it("complex and quantised tensors of the older container", () => {
    refuses(legacyFile(dict(["a", complex]), undefined, { length: 1 }), kinds[0]![2]);
    refuses(legacyFile(dict(["a", kinds[1]![1]]), undefined, { length: 8 }), kinds[1]![2]);
    const cut = legacyFile(dict(["a", complex]), { 0: floats(1) }, { length: 1 });
    refuses(cut, /cut off: storage 0 ends at byte \d+/);
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
    [
      "another pickle",
      legacyFile(good, undefined, { magic: integer(5) }),
      /it is a pickle of 5, but not a file of torch\.save/,
    ],
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
    refuses(file, /two counts of files differ/);
    new DataView(file.buffer).setUint16(file.length - 12, 65535, true);
    refuses(file, /the directory lists more than there is/);
  });

  it("an archive of something else, and a file of nothing", async () => {
    refuses(bytes("PK", 5, 6, Array(18).fill(0)), /one data\.pkl in a folder; this one has 0/);
    refuses(bytes(), /the file is empty/);
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

  it("marks without end, values kept without end", () => {
    refuses(zipFile(["("].concat(Array(100).fill("(".repeat(1000)))), /nests more than 10000 values/);
    refuses(zipFile(["N", "\x94".repeat(2_100_000)]), /keeps more than 2000000 values/);
  });

  it("names of tensors longer than any", () => {
    const name = "n".repeat(5000);
    refuses(zipFile(dict([name, tensor()])), /the name of a tensor has more than 4096 characters/);
  });

  it("a class with a name of a megabyte that drives a terminal", () => {
    const name = `evil\x1b[2J${"x".repeat(2 ** 20)}`;
    const error = (() => {
      try {
        return readPyTorch(zipFile(named("os", name)));
      } catch (reason) {
        return reason;
      }
    })();
    expect(error).to.be.instanceOf(CheckpointError);
    const { message } = error as CheckpointError;
    expect(message).to.include("os.evil\\u001b[2Jxxx").and.to.have.length.below(400);
    expect(message).not.to.include("\x1b");
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
