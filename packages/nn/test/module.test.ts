import { inspect } from "node:util";
import { evaluate, tensor, Variable } from "@ddad/tensor";
import { expect } from "chai";
import { StateDictError } from "../src/errors.ts";
import { HostRandom } from "../src/hostRandom.ts";
import { setSeed } from "../src/init.ts";
import { BatchNorm2d } from "../src/layers/batchNorm2d.ts";
import { Conv2d } from "../src/layers/conv2d.ts";
import { Dropout } from "../src/layers/dropout.ts";
import { GroupNorm } from "../src/layers/groupNorm.ts";
import { Linear } from "../src/layers/linear.ts";
import { ModuleList } from "../src/layers/moduleList.ts";
import { Sequential } from "../src/layers/sequential.ts";
import { Module } from "../src/module.ts";
import { Parameter } from "../src/parameter.ts";
import type { StateDict } from "../src/stateDict.ts";

class Net extends Module {
  override readonly torchNames = { head: "classifier.1" };
  readonly firstConv = new Conv2d(2, 3, [2, 1]);
  readonly bn1 = new BatchNorm2d(3);
  readonly blocks = [[new Linear(2, 4, { bias: false })], [new Dropout(0.5), new GroupNorm(2, 4)]];
  readonly list = new ModuleList([new Linear(1, 2, { layout: "conv1d" })]);
  readonly head = new Sequential(new Linear(4, 2), new Dropout(0.1));
  readonly shift = new Variable(tensor([1, 2]));
}

const names = [
  "first_conv.weight",
  "first_conv.bias",
  "bn1.weight",
  "bn1.bias",
  "bn1.running_mean",
  "bn1.running_var",
  "bn1.num_batches_tracked",
  "blocks.0.0.weight",
  "blocks.1.1.weight",
  "blocks.1.1.bias",
  "list.0.weight",
  "list.0.bias",
  "classifier.1.0.weight",
  "classifier.1.0.bias",
  "shift",
];
const buffers = new Set(["bn1.running_mean", "bn1.running_var", "bn1.num_batches_tracked", "shift"]);

describe("Module", () => {
  let net: Net;
  beforeEach(() => {
    setSeed(1);
    net = new Net();
  });
  afterEach(() => net.dispose());

  it("finds its state by PyTorch's names, in the order of its properties", () => {
    expect([...net.namedState().keys()]).to.deep.equal(names);
    expect([...net.namedParameters().keys()]).to.deep.equal(names.filter((name) => !buffers.has(name)));
    expect(net.parameters()).to.have.length(11);
    expect(net.buffers()).to.have.length(4);
  });

  it("lists each shared parameter once, under every name", () => {
    class Tied extends Module {
      readonly a = net.head.layers[0]!;
      readonly b = net.head.layers[0]!;
    }
    const tied = new Tied();
    expect(tied.namedParameters().size).to.equal(4);
    expect(tied.parameters()).to.have.length(2);
    expect(tied.modules()).to.have.length(2);
  });

  it("switches the mode everywhere", () => {
    expect(net.modules().map(({ training }) => training)).to.deep.equal(Array(11).fill(true));
    expect(
      net
        .eval()
        .modules()
        .some(({ training }) => training),
    ).to.equal(false);
    expect(
      net
        .train()
        .modules()
        .every(({ training }) => training),
    ).to.equal(true);
  });

  it("freezes: the parameters are kept in the state but no longer offered for training", () => {
    net.firstConv.freeze();
    expect(net.parameters()).to.have.length(9);
    expect(net.namedState().size).to.equal(names.length);
    net.freeze();
    expect(net.parameters()).to.deep.equal([]);
    expect(net.freeze(false).parameters()).to.have.length(11);
  });

  it("gives PyTorch's layouts", async () => {
    const conv = new Parameter(tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], [2, 1, 2, 3]), "conv2d");
    const linear = new Parameter(tensor([0, 1, 2, 3, 4, 5], [2, 3]), "linear");
    const conv1d = new Parameter(tensor([0, 1, 2, 3, 4, 5], [2, 3]), "conv1d");
    class Three extends Module {
      readonly conv = conv;
      readonly linear = linear;
      readonly conv1d = conv1d;
      readonly count = new Variable(tensor([7], [], { dtype: "i32" }));
    }
    const three = new Three();
    const dict = await three.stateDict();
    // Element (kh, kw, i, o) of [2, 1, 2, 3] goes to (o, i, kh, kw) of [3, 2, 2, 1].
    expect(dict.get("conv")).to.deep.equal({
      shape: [3, 2, 2, 1],
      dtype: "f32",
      data: new Float32Array([0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11]),
    });
    const transposed = new Float32Array([0, 3, 1, 4, 2, 5]);
    expect(dict.get("linear")).to.deep.equal({ shape: [3, 2], dtype: "f32", data: transposed });
    expect(dict.get("conv1d")).to.deep.equal({ shape: [3, 2, 1], dtype: "f32", data: transposed });
    expect(dict.get("count")).to.deep.equal({ shape: [], dtype: "i64", data: new BigInt64Array([7n]) });
    three.dispose();
  });

  it("loads another's saved state exactly, with or without the prefix of DataParallel", async () => {
    const saved = await net.stateDict();
    setSeed(2);
    const other = new Net();
    expect(await other.stateDict()).not.to.deep.equal(saved);
    expect(other.loadStateDict(saved)).to.deep.equal({ missing: [], unexpected: [] });
    expect(await other.stateDict()).to.deep.equal(saved);
    const prefixed: StateDict = new Map([...(await other.stateDict())].map(([k, v]) => [`module.${k}`, v]));
    net.loadStateDict(prefixed);
    await evaluate(...net.namedState().values());
    expect([...(await net.firstConv.weight.data())]).to.deep.equal([
      ...(await other.firstConv.weight.data()),
    ]);
    other.dispose();
  });

  it("is the same for the same seed, whatever was made before", async () => {
    const bias = async (seed: number) => {
      const layer = new Linear(3, 2, { random: new HostRandom(seed) });
      const values = [...(await layer.bias!.data()), ...(await layer.weight.data())];
      layer.dispose();
      return values;
    };
    expect(await bias(5)).to.deep.equal(await bias(5));
    expect(await bias(5)).not.to.deep.equal(await bias(6));
  });

  it("lists every mismatch at once, and then takes over nothing", async () => {
    const saved = await net.stateDict();
    const bad: StateDict = new Map(saved);
    bad.delete("shift");
    bad.set("other.weight", { shape: [2], dtype: "f32", data: new Float32Array(2) });
    bad.set("bn1.weight", { shape: [4], dtype: "f32", data: new Float32Array(4) });
    bad.set("bn1.bias", { shape: [3], dtype: "i64", data: new BigInt64Array(3) });
    bad.set("bn1.num_batches_tracked", { shape: [], dtype: "i64", data: new BigInt64Array([2n ** 40n]) });
    bad.set("first_conv.bias", { shape: [3], dtype: "f32", data: new Float32Array(2) });
    const load = () => net.loadStateDict(bad);
    expect(load)
      .to.throw(StateDictError)
      .with.property("problems")
      .that.deep.equals([
        'missing: "shift" [2]',
        'unexpected: "other.weight" [2]',
        'size: "first_conv.bias" [3] has 2 elements',
        'shape: "bn1.weight" is [4] but the module has [3]',
        'dtype: "bn1.bias" is i64 but the module has f32, and floats are loaded only from floats',
        'range: "bn1.num_batches_tracked" holds integers of more than 32 bits',
      ]);
    expect(load).to.throw(/does not fit the module \(6 problems\):\n {2}missing: "shift"/);
    expect(await net.stateDict()).to.deep.equal(saved);
  });

  it("without strict takes what fits and reports the rest", async () => {
    const partial: StateDict = new Map([
      ["shift", { shape: [2], dtype: "f64", data: new Float64Array([3, 4]) }],
      ["extra", { shape: [], dtype: "f32", data: new Float32Array(1) }],
    ]);
    const report = net.loadStateDict(partial, { strict: false });
    expect(report.unexpected).to.deep.equal(["extra"]);
    expect(report.missing).to.deep.equal(names.filter((name) => name !== "shift"));
    expect([...(await net.shift.data())]).to.deep.equal([3, 4]);
    partial.set("bn1.bias", { shape: [2], dtype: "f32", data: new Float32Array(2) });
    expect(() => net.loadStateDict(partial, { strict: false })).to.throw(StateDictError, /shape: "bn1.bias"/);
  });

  it("finds layers in plain objects and Maps, by their keys, in any nesting", async () => {
    const shared = new Linear(1, 1, { bias: false });
    class Heads extends Module {
      readonly heads = { firstHead: new Linear(2, 3), more: [new Map([["b", new GroupNorm(1, 2)]])] };
      readonly byNumber = new Map<number, unknown>([[7, { scale: new Parameter(tensor([1])) }]]);
      readonly tied = { a: shared, b: shared };
      readonly settings = { width: 3, name: "x", none: null, values: new Float32Array(3) };
      readonly missing = undefined;
    }
    using heads = new Heads();
    expect([...heads.namedState().keys()]).to.deep.equal([
      "heads.firstHead.weight",
      "heads.firstHead.bias",
      "heads.more.0.b.weight",
      "heads.more.0.b.bias",
      "by_number.7.scale",
      "tied.a.weight",
      "tied.b.weight",
    ]);
    expect(heads.parameters()).to.have.length(6);
    expect(heads.modules()).to.have.length(4);
    expect(heads.loadStateDict(await heads.stateDict())).to.deep.equal({ missing: [], unexpected: [] });
  });

  it("refuses parameters below keys that cannot be names", () => {
    class Odd extends Module {
      readonly byModule = new Map([[net.head, net.firstConv]]);
    }
    expect(() => new Odd().namedState()).to.throw(TypeError, /Map by_module holds .* neither a string nor a/);
  });

  it("does not walk in circles", () => {
    class Child extends Module {
      parent: Module | undefined;
      readonly linear = new Linear(1, 2);
      readonly self: Record<string, unknown> = {};
    }
    class Parent extends Module {
      readonly child = new Child();
    }
    using parent = new Parent();
    parent.child.parent = parent;
    parent.child.self["again"] = parent.child.self;
    expect([...parent.namedState().keys()]).to.deep.equal(["child.linear.weight", "child.linear.bias"]);
    expect(parent.modules()).to.have.length(3);
    expect(`${parent}`).to.include("(parent): Parent again");
  });

  it("is shown as a tree with shapes and numbers of parameters", () => {
    net.firstConv.freeze();
    expect(`${net}`).to.equal(`Net(
  shift [2]
  (first_conv): Conv2d(weight [2, 1, 2, 3], bias [3], stride 1, padding 0, dilation 1, groups 1): 15 parameters, 0 of them trained
  (bn1): BatchNorm2d(weight [3], bias [3], running_mean [3], running_var [3], num_batches_tracked [] i32, epsilon 0.00001, momentum 0.1): 6 parameters
  (blocks.0.0): Linear(weight [2, 4]): 8 parameters
  (blocks.1.0): Dropout(p 0.5)
  (blocks.1.1): GroupNorm(weight [4], bias [4], groups 2, epsilon 0.00001, activation none): 8 parameters
  (list): ModuleList(
    (0): Linear(weight [1, 2], bias [2]): 4 parameters
  ): 4 parameters
  (classifier.1): Sequential(
    (0): Linear(weight [4, 2], bias [2]): 10 parameters
    (1): Dropout(p 0.1)
  ): 10 parameters
): 51 parameters, 36 of them trained`);
    expect(inspect(net)).to.equal(`${net}`);
  });
});
