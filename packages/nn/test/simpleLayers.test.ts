/** Layers without a sum over features: shapes, poolings, activations. */
import { evaluate, grad, type Tensor, tensor } from "@ddad/tensor";
import { expect } from "chai";
import { testDevice } from "../../tensor/test/device.hooks.ts";
import { HostRandom } from "../src/hostRandom.ts";
import {
  CELU,
  ELU,
  GELU,
  Hardsigmoid,
  Hardswish,
  Hardtanh,
  LeakyReLU,
  LogSigmoid,
  LogSoftmax,
  Mish,
  PReLU,
  ReLU,
  ReLU6,
  SELU,
  Sigmoid,
  SiLU,
  Softmax,
  Softplus,
  Softsign,
  Tanh,
} from "../src/layers/activations.ts";
import { BatchNorm2d } from "../src/layers/batchNorm2d.ts";
import { Conv2d } from "../src/layers/conv2d.ts";
import { ConvTranspose2d } from "../src/layers/convTranspose2d.ts";
import { Dropout } from "../src/layers/dropout.ts";
import { Linear } from "../src/layers/linear.ts";
import { MultiheadAttention } from "../src/layers/multiheadAttention.ts";
import { AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, MaxPool2d } from "../src/layers/pools.ts";
import { Upsample } from "../src/layers/resample.ts";
import type { Layer } from "../src/layers/sequential.ts";
import { Flatten, Identity } from "../src/layers/shapes.ts";
import { formula, largestDifference } from "./golden.ts";

const close = async (got: Tensor, expected: ArrayLike<number>, tolerance = 1e-5): Promise<void> => {
  expect(largestDifference(await got.data(), expected)).to.be.below(tolerance);
};

describe("layers of shapes", () => {
  it("Flatten joins axes, Identity does nothing", () => {
    const x = tensor(formula(1, 24), [2, 2, 3, 2]);
    expect(new Flatten().forward(x).shape).to.deep.equal([2, 12]);
    expect(new Flatten(1, 2).forward(x).shape).to.deep.equal([2, 6, 2]);
    expect(new Identity().forward(x)).to.equal(x);
  });

  it("poolings pass their options on", async () => {
    const x = tensor(
      Array.from({ length: 15 }, (_, k) => k),
      [1, 3, 5, 1],
    );
    await close(new MaxPool2d(2).forward(x), [6, 8]);
    await close(new MaxPool2d([3, 2], { stride: 1, padding: [0, 1] }).forward(x), [10, 11, 12, 13, 14, 14]);
    await close(new MaxPool2d(2, { ceilMode: true, dilation: 2, stride: 1 }).forward(x), [12, 13, 14]);
    await close(new AvgPool2d(2, { stride: [1, 3] }).forward(x), [3, 6, 8, 11]);
    const border = { padding: 1, stride: 3, ceilMode: true };
    await close(new AvgPool2d(2, { ...border, countIncludePad: false }).forward(x), [0, 2.5, 10, 12.5]);
    await close(new AvgPool2d(2, border).forward(x), [0, 1.25, 2.5, 6.25]);
    await close(new AdaptiveAvgPool2d(1).forward(x), [7]);
    await close(new AdaptiveAvgPool2d([1, 2]).forward(x), [6, 8]);
    await close(new AdaptiveMaxPool2d([3, 1]).forward(x), [4, 9, 14]);
  });
});

describe("Upsample", () => {
  it("doubles by default, and passes its options on", async () => {
    const x = tensor([1, 2, 3, 4], [1, 2, 2, 1]);
    await close(new Upsample().forward(x), [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
    await close(new Upsample({ scaleFactor: [1, 3] }).forward(x), [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
    const corners = new Upsample({ size: 3, mode: "bilinear", alignCorners: true });
    await close(corners.forward(x), [1, 1.5, 2, 2, 2.5, 3, 3, 3.5, 4]);
  });
});

describe("activation layers", () => {
  const values = [-3.5, -1, -0.25, 0, 0.5, 2, 7];
  const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
  const softplus = (v: number) => Math.log1p(Math.exp(v));
  const clamp = (v: number, least: number, most: number) => Math.min(most, Math.max(least, v));
  const [alpha, scale] = [1.6732632423543772, 1.0507009873554805];
  const expected: [Layer, (v: number) => number][] = [
    [new ReLU(), (v) => Math.max(v, 0)],
    [new ReLU6(), (v) => clamp(v, 0, 6)],
    [new LeakyReLU(), (v) => (v > 0 ? v : 0.01 * v)],
    [new LeakyReLU(0.2), (v) => (v > 0 ? v : 0.2 * v)],
    [new ELU(), (v) => (v > 0 ? v : Math.expm1(v))],
    [new ELU(2), (v) => (v > 0 ? v : 2 * Math.expm1(v))],
    [new SELU(), (v) => scale * (v > 0 ? v : alpha * Math.expm1(v))],
    [new CELU(2), (v) => (v > 0 ? v : 2 * Math.expm1(v / 2))],
    [new SiLU(), (v) => v * sigmoid(v)],
    [
      new GELU({ approximate: "tanh" }),
      (v) => (v / 2) * (1 + Math.tanh(0.7978845608 * (v + 0.044715 * v ** 3))),
    ],
    [new Mish(), (v) => v * Math.tanh(softplus(v))],
    [new Softplus(), softplus],
    [new Softplus(3), (v) => softplus(3 * v) / 3],
    [new Softsign(), (v) => v / (1 + Math.abs(v))],
    [new Tanh(), Math.tanh],
    [new Sigmoid(), sigmoid],
    [new LogSigmoid(), (v) => -softplus(-v)],
    [new Hardsigmoid(), (v) => clamp((v + 3) / 6, 0, 1)],
    [new Hardswish(), (v) => v * clamp((v + 3) / 6, 0, 1)],
    [new Hardtanh(-2, 1), (v) => clamp(v, -2, 1)],
    [new Softmax(0), (v) => Math.exp(v) / values.reduce((sum, other) => sum + Math.exp(other), 0)],
    [new LogSoftmax(0), (v) => v - Math.log(values.reduce((sum, other) => sum + Math.exp(other), 0))],
  ];
  it("are the functions of their names", async () => {
    for (const [layer, fn] of expected) {
      const got = await layer.forward(tensor(values)).data();
      const difference = largestDifference(got, values.map(fn));
      expect(difference, layer.constructor.name).to.be.below(1e-5);
    }
  });

  it("PReLU learns its slopes", async () => {
    using layer = new PReLU(2);
    const x = tensor([-1, -2, 3, -4], [2, 2]);
    const y = layer.forward(x);
    const [gradient] = grad(y.sum(), [layer.weight]);
    await evaluate(y, gradient!);
    await close(y, [-0.25, -0.5, 3, -1]);
    await close(gradient!, [-1, -6]);
  });
});

describe("layers of f16", () => {
  it("give f16, with the values of f32", async function () {
    if (!testDevice().capabilities.f16) return this.skip();
    const random = () => new HostRandom(1);
    const layers: Layer[] = [
      new BatchNorm2d(8),
      new BatchNorm2d(8).eval(),
      new ConvTranspose2d(8, 4, 2, { random: random() }),
      new Conv2d(8, 4, 2, { groups: 2, random: random() }),
      new PReLU(),
      new Linear(8, 2, { random: random() }),
      new MultiheadAttention(8, 2, { random: random() }) as unknown as Layer,
      new Dropout(0.5).eval(),
    ];
    for (const layer of layers) {
      const name = layer.constructor.name;
      const shape = layer instanceof MultiheadAttention ? [4, 4, 8] : [2, 2, 4, 8];
      const x = tensor(formula(1, 128), shape, { dtype: "f16" });
      const [y, wide] = [layer.forward(x), layer.forward(x.cast("f32"))];
      await evaluate(y, wide, ...layer.buffers());
      expect(y.dtype, name).to.equal("f16");
      expect(largestDifference(await y.data(), await wide.data()), name).to.be.below(3e-3);
      layer.dispose();
    }
  });
});
