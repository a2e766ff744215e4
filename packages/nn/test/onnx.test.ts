/** Networks as ONNX files: ONNX Runtime gives what this library does, and the file has PyTorch's names. */
import {
  concat,
  cumsum,
  evaluate,
  randomKeys,
  randomNormal,
  slice,
  softmax,
  type Tensor,
  tensor,
} from "@ddad/tensor";
import { expect } from "chai";
import { HostRandom } from "../src/hostRandom.ts";
import { Dropout } from "../src/layers/dropout.ts";
import { Linear } from "../src/layers/linear.ts";
import { foldBatchNorm } from "../src/models/resnet/fold.ts";
import { UNet } from "../src/models/unet/unet.ts";
import { Module } from "../src/module.ts";
import { exportOnnx, exportResNetOnnx, exportUNetOnnx } from "../src/onnx/exportOnnx.ts";
import { checkOnnxSize } from "../src/onnx/model.ts";
import { compareOnnx, type OnnxArrays, type OnnxRunner, onnxRuntimeRunner } from "../src/onnx/parity.ts";
import { type OnnxSource, resNetOnnx, unetOnnx } from "../src/onnx/source.ts";
import { formulaWeights } from "./golden.ts";
import { readOnnx } from "./onnxFile.ts";
import { array, ort } from "./onnxRuntime.ts";
import { build } from "./resnetReference.ts";

/** Two levels, attention on the second, weights of the formula. */
async function smallUNet(): Promise<UNet> {
  const levels = { channelMultipliers: [1, 2], blocksPerLevel: 1, attentionSizes: [8] };
  const net = new UNet({ imageSize: 16, baseChannels: 32, heads: 2, dropout: 0.3, ...levels });
  net.loadStateDict(formulaWeights(net, 4));
  await evaluate(...net.namedState().values());
  return net;
}

/** Compares at batch sizes 1 and 3: the same file serves both. */
async function expectParity(
  source: OnnxSource,
  file: Uint8Array,
  inputs: (batch: number) => OnnxArrays,
): Promise<void> {
  const { run, release } = await onnxRuntimeRunner(ort, file);
  for (const batch of [1, 3]) {
    for (const { output, shape, absolute, relative } of await compareOnnx(source, inputs(batch), run)) {
      const figures = `${absolute.toExponential(1)}, relative ${relative.toExponential(1)}`;
      console.log(`    ${output} [${shape.join(", ")}]: largest difference ${figures}`);
      expect(relative, output).to.be.below(1e-5);
    }
  }
  await release();
}

describe("ONNX: UNet", () => {
  it("gives the same noise as here, for any batch", async () => {
    using net = await smallUNet();
    const file = await exportUNetOnnx(net, { imageSize: 16 });
    await expectParity(unetOnnx(net, { imageSize: 16 }), file, (batch) => ({
      x: array(900003, [batch, 3, 16, 16]),
      t: { shape: [batch], data: Float32Array.from([812, 0, 999].slice(0, batch)) },
    }));
  });

  it("has every weight under PyTorch's name, in PyTorch's layout", async () => {
    using net = await smallUNet();
    const metadata = { config: '{"imageSize":16}' };
    const file = readOnnx(await exportUNetOnnx(net, { imageSize: 16, metadata }));
    expect(file).to.deep.include({ name: "denoiser", metadata, opset: 18 });
    expect(file.inputs).to.deep.equal({ x: ["N", 3, 16, 16], t: ["N"] });
    expect(file.outputs).to.deep.equal({ noise: ["N", 3, 16, 16] });
    for (const [name, { shape, data }] of await net.stateDict()) {
      const weight = file.initializers.get(name);
      // A convolution of size 1 along tokens is a matrix; scale and shift of a norm have axes for the pixels.
      const ones = (extents: readonly number[]): number[] => extents.filter((extent) => extent !== 1);
      expect(weight && ones(weight.shape), name).to.deep.equal(ones(shape));
      expect([...weight!.data], name).to.deep.equal([...data]);
    }
    const names = file.nodes.map((node) => node.name);
    expect(new Set(names).size).to.equal(names.length);
    expect(names).to.include.members([
      "time_embedding/Sin",
      "down.1.0.in_layers.0/InstanceNormalization",
      "down.1.0.in_layers.2/Conv",
      "down.2.0/AveragePool",
      "middle.1/Softmax",
      "out.2/Conv",
    ]);
  });

  it("is exported in evaluation mode and left as it was", async () => {
    using net = await smallUNet();
    net.middle[1]!.eval();
    const modes = (): boolean[] => net.modules().map(({ training }) => training);
    const before = modes();
    const file = await exportUNetOnnx(net, { imageSize: 16 });
    expect(modes()).to.deep.equal(before);
    expect(net.modules().filter((module) => Object.hasOwn(module, "forward"))).to.deep.equal([]);
    expect(await exportUNetOnnx(net.eval(), { imageSize: 16 })).to.deep.equal(file);
  });
});

describe("ONNX: ResNet", () => {
  for (const style of ["torch", "caffe", "preactivation"] as const) {
    for (const folded of [false, true]) {
      it(`${style}${folded ? ", folded" : ""}`, async () => {
        using whole = build({ layers: [1, 1, 2], baseChannels: 8, style });
        using net = folded ? await foldBatchNorm(whole) : whole;
        await evaluate(...whole.namedState().values());
        const options = { imageSize: 38 };
        const bytes = await exportResNetOnnx(net, options);
        const file = readOnnx(bytes);
        expect(Object.keys(file.outputs)).to.deep.equal(["layer1", "layer2", "layer3"]);
        const count = (op: string): number => file.nodes.filter((node) => node.op === op).length;
        expect(count("BatchNormalization")).to.equal(folded ? 0 : style === "preactivation" ? 15 : 16);
        expect(count("Conv")).to.equal(16);
        expect(count("Transpose")).to.equal(0);
        await expectParity(resNetOnnx(net, options), bytes, (batch) => ({ x: array(7, [batch, 3, 38, 38]) }));
      });
    }
  }

  it("has the requested outputs, and nothing after them", async () => {
    using net = build({ layers: [1, 1, 2], baseChannels: 8 });
    const file = readOnnx(await exportResNetOnnx(net, { imageSize: 32, features: ["layer2", "layer1"] }));
    expect(file.outputs).to.deep.equal({ layer2: ["N", 64, 4, 4], layer1: ["N", 32, 8, 8] });
    expect([...file.initializers.keys()].filter((name) => name.startsWith("layer3"))).to.deep.equal([]);
  });
});

/** A user's own module. */
class Own extends Module {
  readonly linear = new Linear(4, 4, { random: new HostRandom(1) });
  readonly dropout = new Dropout(0.5);
}

const shape = ["N", 3, 4] as const;

describe("ONNX: a user's module", () => {
  const source = (module: Module, forward: (x: Tensor) => Tensor): OnnxSource => ({
    name: "own",
    module,
    inputs: { x: shape },
    forward: ({ x }) => ({ y: forward(x!) }),
  });
  const refusal = async (forward: (x: Tensor) => Tensor): Promise<string> => {
    using own = new Own();
    const refused = await exportOnnx(source(own, forward)).catch((error: Error) => error.message);
    await evaluate(...own.namedState().values());
    expect(refused).to.be.a("string");
    return refused as string;
  };

  it("is exported by what it records, also computed weights, inputs handed on and results given twice", async () => {
    using own = new Own();
    const tied: OnnxSource = {
      ...source(own, (x) => x),
      forward: ({ x }) => {
        const h = own.dropout.forward(own.linear.forward(x!).gelu()); // [N, 3, 4]
        const pooled = h.mul(own.linear.weight.square().sum([0])).mean([1], { keepDims: true });
        const all = pooled.reshape([x!.shape[0]!, 4]);
        return { x2: x!, all, again: all, scaled: softmax(x!.sub(pooled)) };
      },
    };
    const file = await exportOnnx(tied);
    expect(readOnnx(file).outputs).to.deep.equal({
      x2: [...shape],
      all: ["N", 4],
      again: ["N", 4],
      scaled: [...shape],
    });
    await expectParity(tied, file, (batch) => ({ x: array(5, [batch, 3, 4]) }));
  });

  it("is refused with a sentence where a file cannot hold it", async () => {
    const refusals: [(x: Tensor) => Tensor, RegExp][] = [
      [
        (x) => x.add(tensor([1 / x.shape[0]!])),
        /a constant .* made in forward depends on the size of the batch/,
      ],
      [
        (x) => x.mul(1 / x.shape[0]!),
        /elementwise in forward depends on the size of the batch \(2 and 3 were/,
      ],
      [(x) => (x.shape[0] === 2 ? x.neg() : x.neg().neg()), /the number of operations depends on the size/],
      [
        (x) =>
          concat(
            [
              x,
              tensor([1, 2, 3, 4])
                .reshape([1, 1, 4])
                .add(slice(x, [0], [1])),
            ],
            0,
          ),
        /gives \[3, 3, 4\] for a batch of 2 but \[4, 3, 4\] for 3; extents must be/,
      ],
      [
        (x) => cumsum(x),
        /no translation of cumsum \(in forward\) to ONNX; there is one of all, any, attention,/,
      ],
      [() => tensor([1]).add(1), /the output y depends on no input/],
      [
        (x) => x.add(randomNormal(randomKeys(1, [{ stream: 0, step: 0 }]), [1, 3, 4])),
        /draws random numbers/,
      ],
    ];
    for (const [forward, message] of refusals) expect(await refusal(forward)).to.match(message);
    expect(() => checkOnnxSize(2 ** 31)).to.throw(
      "exportOnnx: an ONNX file holds at most 2 GiB, but the weights are 2.0 GiB.",
    );
    checkOnnxSize(2 ** 31 - 2 ** 21);
  });
});

describe("compareOnnx", () => {
  const source: OnnxSource = {
    name: "twice",
    module: new (class extends Module {})(),
    inputs: { x: ["N", 2, 2, 1] },
    forward: ({ x }) => ({ y: x!.mul(2) }),
  };
  const x = { shape: [1, 1, 2, 2], data: Float32Array.of(1, 2, 3, 4) };
  const giving =
    (values: number[], extents = [1, 1, 2, 2]): OnnxRunner =>
    async () => ({ y: { shape: extents, data: Float32Array.from(values) } });

  it("tells the largest difference, absolute and relative", async () => {
    expect(await compareOnnx(source, { x }, giving([2, 4, 6, 8]))).to.deep.equal([
      { output: "y", shape: [1, 1, 2, 2], absolute: 0, relative: 0 },
    ]);
    expect(await compareOnnx(source, { x }, giving([2, 5, 6.5, 8]))).to.deep.equal([
      { output: "y", shape: [1, 1, 2, 2], absolute: 1, relative: 1 / 8 },
    ]);
    const [broken] = await compareOnnx(source, { x }, giving([2, Number.NaN, 6, 8]));
    expect(broken?.relative).to.equal(Number.POSITIVE_INFINITY);
  });

  it("refuses outputs that are missing or of another shape", async () => {
    const message = async (run: OnnxRunner): Promise<string> =>
      compareOnnx(source, { x }, run).then(String, (error: Error) => error.message);
    expect(await message(giving([2, 4, 6, 8], [1, 2, 2, 1]))).to.equal(
      "compareOnnx: the output y is [1, 2, 2, 1], but is [1, 1, 2, 2] here.",
    );
    expect(await message(async () => ({}))).to.equal(
      "compareOnnx: the output y is missing, but is [1, 1, 2, 2] here.",
    );
  });
});
