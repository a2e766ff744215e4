import { evaluate, grad, ShapeError, type Tensor, tensor } from "@ddad/tensor";
import { expect } from "chai";
import { foldBatchNorm } from "../src/models/resnet/fold.ts";
import { imageNetMean, imageNetStd, normaliseForImageNet } from "../src/models/resnet/imageNet.ts";
import {
  countParameters,
  type FeatureName,
  type ResNetOptions,
  type ResNetStyle,
} from "../src/models/resnet/options.ts";
import { ResNet } from "../src/models/resnet/resnet.ts";
import { type ResNetName, resNetSizes, wideResnet50_2 } from "../src/models/resnet/variants.ts";
import { slotOf } from "../src/module.ts";
import { torchShape, toTorch } from "../src/stateDict.ts";
import { formula, formulaWeights, largestDifference } from "./golden.ts";
import {
  build,
  type Images,
  input,
  pixels,
  type ReferenceRun,
  runReference,
  size,
} from "./resnetReference.ts";

/** Small networks; Caffe's basic blocks are those of torch. */
const networks = (
  [
    ["torch", "bottleneck"],
    ["caffe", "bottleneck"],
    ["preactivation", "bottleneck"],
    ["torch", "basic"],
    ["preactivation", "basic"],
  ] as const
).map(([style, block]) => ({
  name: `${style} ${block}`,
  options: {
    block,
    style,
    layers: [1, 2],
    widthPerGroup: block === "basic" ? 64 : 128,
    baseChannels: 4,
    numClasses: 3,
  } satisfies ResNetOptions,
}));

const reference = (net: ResNet, { style, layers }: (typeof networks)[number]["options"], training: boolean) =>
  runReference(
    formulaWeights(net, 6),
    { style, layers, training },
    { shape: size, data: Float64Array.from(pixels) },
  );

const featuresOf = ({ raw, activated }: ReferenceRun): Images[] =>
  activated.map((images, k) => (k === 0 ? raw[0]! : images));
const namesOf = ({ layers }: { readonly layers: readonly number[] }): FeatureName[] =>
  layers.map((_, k) => `layer${k + 1}` as FeatureName);

const close = async (got: Tensor, expected: ArrayLike<number>, tolerance = 1e-5): Promise<void> => {
  expect(largestDifference(await got.data(), expected)).to.be.below(tolerance);
};

describe("ResNet", () => {
  const published: Record<ResNetName, number> = {
    resnet18: 11_689_512,
    resnet34: 21_797_672,
    resnet50: 25_557_032,
    resnet101: 44_549_160,
    resnet152: 60_192_808,
    wideResnet50_2: 68_883_240,
    wideResnet101_2: 126_886_696,
    resnet50v2: 25_549_486,
  };
  for (const [name, count] of Object.entries(published)) {
    it(`${name} has ${count} parameters`, () => {
      expect(countParameters(resNetSizes[name as ResNetName])).to.equal(count);
    });
  }

  it("counts the parameters that it has, built whole or in part", () => {
    for (const { options } of networks) {
      for (const lastLayer of [undefined, ...namesOf(options)]) {
        using net = new ResNet({ ...options, lastLayer, init: "zeros" });
        const count = net.parameters().reduce((sum, parameter) => sum + parameter.size, 0);
        expect(countParameters({ ...options, lastLayer })).to.equal(count);
      }
    }
  });

  for (const { name, options } of networks) {
    describe(name, () => {
      it("gives the values of plain loops in evaluation mode", async () => {
        using net = build(options).eval();
        const expected = reference(net, options, false);
        const features = net.features(input(), namesOf(options));
        const logits = net.forward(input());
        await evaluate(logits, ...Object.values(features));
        for (const [k, images] of featuresOf(expected).entries()) {
          const feature = features[`layer${k + 1}` as FeatureName];
          expect(feature.shape).to.deep.equal(images.shape);
          await close(feature, images.data);
        }
        await close(logits, expected.logits);
      });

      it("gives the values of plain loops in training mode, and moves every norm's statistics once", async () => {
        using net = build(options);
        const expected = reference(net, options, true);
        const logits = net.forward(input());
        await evaluate(logits, ...net.namedState().values());
        await close(logits, expected.logits, 1e-4);
        const before = formulaWeights(net, 6);
        const state = net.namedState();
        for (const [norm, { mean, variance }] of expected.statistics) {
          const moved = (buffer: string, batch: Float64Array) =>
            batch.map((value, c) => 0.9 * Number(before.get(`${norm}.${buffer}`)!.data[c]!) + 0.1 * value);
          await close(state.get(`${norm}.running_mean`) as Tensor, moved("running_mean", mean));
          await close(state.get(`${norm}.running_var`) as Tensor, moved("running_var", variance));
          expect(await state.get(`${norm}.num_batches_tracked`)!.item(), norm).to.equal(1);
        }
        expect([...state.keys()].filter((key) => key.endsWith("tracked"))).to.have.length(
          expected.statistics.size,
        );
      });

      it("has the gradient of plain loops in training mode, along a direction through all parameters", async () => {
        using net = build(options);
        await evaluate(...net.namedState().values());
        const parameters = net.namedParameters();
        const gradients = grad(net.forward(input()).square().sum(), [...parameters.values()]);
        await evaluate(...gradients, ...net.buffers());
        const direction = new Map(
          [...parameters].map(([key, { size }], k) => [key, formula(5000 + k, size)] as const),
        );
        let slope = 0;
        for (const [k, [key, { layout, shape }]] of [...parameters].entries()) {
          const values = toTorch(layout, shape, (await gradients[k]!.data()) as Float32Array);
          expect(
            values.some((value) => value !== 0),
            key,
          ).to.equal(true);
          slope += values.reduce((sum, value, i) => sum + value * direction.get(key)![i]!, 0);
        }
        const lossAt = (distance: number): number => {
          const weights = formulaWeights(net, 6);
          for (const [key, step] of direction) {
            const { shape, data } = weights.get(key)!;
            const moved = Float64Array.from(step, (value, i) => Number(data[i]!) + distance * value);
            weights.set(key, { shape, dtype: "f64", data: moved });
          }
          const { style, layers } = options;
          const run = runReference(
            weights,
            { style, layers, training: true },
            { shape: size, data: Float64Array.from(pixels) },
          );
          return run.logits.reduce((sum, value) => sum + value * value, 0);
        };
        const h = 1e-8; // so small that no ReLU changes sides
        expect(slope / ((lossAt(h) - lossAt(-h)) / (2 * h))).to.be.closeTo(1, 1e-4);
        for (const gradient of gradients) gradient.dispose();
      });

      it("gives the same when folded, without a norm left", async () => {
        using net = build(options).eval();
        using folded = await foldBatchNorm(net);
        const names = namesOf(options);
        const plain = net.features(input(), names);
        const features = folded.features(input(), names);
        const x = input();
        await evaluate(...Object.values(plain), ...Object.values(features));
        for (const layer of names) await close(features[layer], await plain[layer].data());
        await close(folded.forward(x), await net.forward(x).data());
        expect(folded.parameters()).to.deep.equal([]);
        expect(folded.buffers()).to.deep.equal([]);
      });
    });
  }

  it("pools as Caffe does: rounded up, without padding", () => {
    const shape = (style: ResNetStyle, side: number) => {
      using net = new ResNet({ layers: [1], baseChannels: 2, style, lastLayer: "layer1" }).eval();
      return net.features(tensor(new Float32Array(side * side * 3), [1, side, side, 3]), ["layer1"]).layer1
        .shape;
    };
    expect(shape("torch", 224)).to.deep.equal([1, 56, 56, 8]);
    expect(shape("caffe", 224)).to.deep.equal([1, 56, 56, 8]); // ⌈(112 − 3) / 2⌉ + 1
    expect(shape("torch", 225)).to.deep.equal([1, 57, 57, 8]);
    expect(shape("caffe", 225)).to.deep.equal([1, 56, 56, 8]); // ⌈(113 − 3) / 2⌉ + 1
  });

  it("starts with torchvision's weights, from the seed", async () => {
    using net = new ResNet({ layers: [1], baseChannels: 32, seed: 5 });
    using same = new ResNet({ layers: [1], baseChannels: 32, seed: 5 });
    const dict = await net.stateDict();
    expect(await same.stateDict()).to.deep.equal(dict);
    for (const [name, { shape, data }] of dict) {
      const values = Array.from<number | bigint>(data).map(Number);
      if (shape.length === 4) {
        const [outputs, , height, width] = shape as [number, number, number, number];
        const squares = values.reduce((sum, value) => sum + value * value, 0) / values.length;
        // N(0, 2 / fan_out); the mean of n squares deviates by √(2 / n).
        const relativeError = (squares * outputs * height * width) / 2 - 1;
        expect(relativeError / Math.sqrt(2 / values.length), name).to.be.within(-5, 5);
      } else if (name === "fc.weight" || name === "fc.bias") {
        const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        expect(largest * Math.sqrt(128), name).to.be.within(0.9, 1); // U(±1/√inputs)
      } else {
        const expected = /(running_var|weight)$/.test(name) ? 1 : 0;
        expect(new Set(values), name).to.deep.equal(new Set([expected]));
      }
    }
  });

  it("wide networks widen the 3×3 convolutions", () => {
    using net = wideResnet50_2({ lastLayer: "layer1", init: "zeros" });
    const shapes = new Map(
      [...net.namedState()].map(([name, variable]) => [
        name,
        torchShape(slotOf(variable).layout, variable.shape),
      ]),
    );
    expect(shapes.get("layer1.1.conv2.weight")).to.deep.equal([128, 128, 3, 3]);
    expect(net.featureChannels).to.deep.equal({ layer1: 256 });
  });

  it("says what does not fit", () => {
    const refused = (options: ResNetOptions, message: RegExp) =>
      expect(() => new ResNet(options)).to.throw(RangeError, message);
    refused({ layers: [] }, /layers must be one to four whole numbers of blocks, but are \[\]/);
    refused({ layers: [1, 0] }, /but are \[1, 0\]/);
    refused(
      { layers: [1, 1], lastLayer: "layer3" },
      /lastLayer is layer3, but layers \[1, 1\] end at layer2/,
    );
    refused(
      { layers: [1], block: "basic", widthPerGroup: 128 },
      /only bottleneck blocks have a widthPerGroup/,
    );
    refused(
      { layers: [1], baseChannels: 0 },
      /baseChannels must be a whole number from 1 on, but is the number 0/,
    );
    using net = new ResNet({ layers: [1, 1], baseChannels: 4, lastLayer: "layer1" });
    const x = input();
    expect(() => net.forward(x)).to.throw(/ends at layer1 and has no classifier\. Ask for features/);
    expect(() => net.features(x, ["layer2"])).to.throw(
      RangeError,
      /there is no feature layer2; .* built with layer1/,
    );
    expect(() => net.features(x, [])).to.throw(RangeError, /at least one name/);
    // @ts-expect-error: only stages have names
    expect(() => net.features(x, ["fc"])).to.throw(RangeError, /there is no feature fc/);
    expect(() => net.features(tensor([1], [1, 1, 1, 1]), ["layer1"])).to.throw(
      ShapeError,
      /x must be \[N, H, W, 3\], but is \[1, 1, 1, 1\]/,
    );
  });
});

describe("normaliseForImageNet", () => {
  it("maps images in [-1, 1] to mean 0 and standard deviation 1", async () => {
    const image = [-1, 0, 1, 2 * imageNetMean[0] - 1, 2 * imageNetMean[1] - 1, 2 * imageNetMean[2] - 1];
    const expected = [0, 0.5, 1].map((value, c) => (value - imageNetMean[c]!) / imageNetStd[c]!);
    const got = await normaliseForImageNet(tensor(image, [1, 1, 2, 3])).data();
    for (const [i, value] of [...expected, 0, 0, 0].entries()) expect(got[i]).to.be.closeTo(value, 1e-6);
  });

  it("wants three channels", () => {
    expect(() => normaliseForImageNet(tensor([1], [1, 1, 1, 1]))).to.throw(
      ShapeError,
      /images must be \[N, H, W, 3\], but are \[1, 1, 1, 1\]\. Repeat a grey channel/,
    );
  });
});
