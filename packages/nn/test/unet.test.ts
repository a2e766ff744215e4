import { evaluate, RandomStream, randomKeys, ShapeError, type Tensor, tensor } from "@ddad/tensor";
import { expect } from "chai";
import { sharedOrSkip } from "../../tensor/test/shared.ts";
import { UNet } from "../src/models/unet/unet.ts";
import type { Parameter } from "../src/parameter.ts";
import { torchShape } from "../src/stateDict.ts";
import { formula, formulaWeights, largestDifference, readLayout } from "./golden.ts";

const count = (net: UNet): number => net.parameters().reduce((sum, { size }) => sum + size, 0);

const layoutOf = (net: UNet) =>
  [...net.namedState()].map(([name, variable]) => ({
    name,
    shape: torchShape((variable as Parameter).layout, variable.shape),
  }));

describe("UNet: structure", () => {
  let net: UNet | undefined;
  afterEach(() => net?.dispose());

  it("has the published number of parameters and tensors at 256 (DDAD)", () => {
    const start = performance.now();
    net = new UNet({ imageSize: 256, inChannels: 3, baseChannels: 64, heads: 4, dropout: 0 });
    console.log(`    33 M parameters made in ${((performance.now() - start) / 1000).toFixed(2)} s`);
    expect(count(net)).to.equal(32_952_707);
    expect(net.namedState().size).to.equal(566);
  });

  it("has the published number of parameters and tensors at 256 (DDAD-S)", () => {
    net = new UNet({ imageSize: 256, inChannels: 3, baseChannels: 32, heads: 2, dropout: 0.3 });
    expect(count(net)).to.equal(8_257_731);
    expect(net.namedState().size).to.equal(566);
  });

  it("puts attention at a 32nd, 16th and 8th of the image size", () => {
    net = new UNet({ imageSize: 256, baseChannels: 32, heads: 2 });
    const stages = [...net.namedState().keys()].filter((name) => name.endsWith("to_qkv.weight"));
    expect(stages.map((name) => name.replace(".to_qkv.weight", ""))).to.deep.equal([
      ...[10, 11, 13, 14, 16, 17].map((stage) => `down.${stage}.1`),
      "middle.1",
      ...[0, 1, 2, 3, 4, 5, 6, 7, 8].map((stage) => `up.${stage}.1`),
    ]);
  });

  it("builds at 512, 128 and 64 too", () => {
    for (const [imageSize, levels] of [
      [512, 7],
      [128, 5],
      [64, 4],
    ] as const) {
      net = new UNet({
        imageSize,
        baseChannels: 64,
        heads: 2,
        blocksPerLevel: 1,
        ...(imageSize === 512 && { channelMultipliers: [0.5, 0.5, 0.5, 0.5, 0.5, 1, 1] }),
      });
      expect(net.down).to.have.length(2 * levels);
      net.dispose();
    }
  });

  for (const [name, options] of [
    ["unet_tiny", {}],
    ["unet_micro", { channelMultipliers: [1, 2], blocksPerLevel: 1 }],
  ] as const) {
    it(`has the keys and shapes of ${name}, in order`, function () {
      const layout = readLayout(sharedOrSkip(this, "golden", `${name}.layout.json`));
      net = new UNet({ imageSize: 32, baseChannels: 32, heads: 2, ...options });
      expect(layoutOf(net)).to.deep.equal(layout.entries.map(({ name, shape }) => ({ name, shape })));
      expect(count(net)).to.equal(layout.parameters);
    });
  }

  it("starts as the published network does: last convolutions zero, others not, norms one", async () => {
    net = new UNet({
      imageSize: 32,
      baseChannels: 32,
      heads: 2,
      channelMultipliers: [1],
      blocksPerLevel: 1,
      seed: 3,
    });
    const dict = await net.stateDict();
    const values = (name: string) => [...new Set(dict.get(name)!.data as Float32Array)];
    for (const name of ["down.1.0.out_layers.3", "down.1.1.proj_out", "out.2"]) {
      expect(values(`${name}.weight`), name).to.deep.equal([0]);
      expect(values(`${name}.bias`), name).to.deep.equal([0]);
    }
    expect(values("out.0.weight")).to.deep.equal([1]);
    const largest = Math.max(...values("down.1.0.in_layers.2.weight").map(Math.abs));
    expect(largest).to.be.within(0.99 / Math.sqrt(9 * 32), 1.000001 / Math.sqrt(9 * 32));
  });

  it("refuses numbers that do not fit, with a sentence", () => {
    const make = (options: object) => () => new UNet({ imageSize: 32, ...options });
    expect(make({ imageSize: 224 })).to.throw(
      /no default channelMultipliers for imageSize 224 \(only 32, 64,/,
    );
    expect(make({ baseChannels: 48 })).to.throw(/level 0 has 48 channels, but its 32-group norms/);
    expect(make({ imageSize: 20, channelMultipliers: [1, 1, 1, 1] })).to.throw(
      /imageSize 20 cannot be halved 3 times/,
    );
    expect(make({ baseChannels: 32, heads: 3 })).to.throw(/3 heads do not divide 32 channels/);
  });
});

describe("UNet: use", () => {
  let net: UNet;
  before(() => {
    net = new UNet({
      imageSize: 32,
      baseChannels: 64, // two channels a group: alone in its group, a channel forgets what is added to it
      heads: 2,
      dropout: 0.3,
      channelMultipliers: [1],
      blocksPerLevel: 1,
      attentionSizes: [],
      seed: 1,
    });
    net.loadStateDict(formulaWeights(net, 1)); // nothing zero, so that everything shows
  });
  after(() => net.dispose());
  const images = (count: number) =>
    tensor(formula(7, 2 * 8 * 8 * 3).subarray(0, count * 8 * 8 * 3), [count, 8, 8, 3]);
  const stream = (count: number) =>
    new RandomStream(
      randomKeys(
        5,
        Array.from({ length: count }, (_, image) => ({ stream: image, step: 0 })),
      ),
    );

  it("drops out in training by the image's own random numbers, whatever the batch", async () => {
    const t = tensor([3, 400]);
    net.train();
    const [both, again] = [0, 1].map(() => net.forward(images(2), t, { random: stream(2) })) as [
      Tensor,
      Tensor,
    ];
    const alone = net.forward(images(1), tensor([3]), { random: stream(1) });
    const other = net.forward(images(1), tensor([3]), {
      random: new RandomStream(randomKeys(6, [{ stream: 0, step: 0 }])),
    });
    await evaluate(both, again, alone, other);
    const first = (await both.data()).slice(0, 8 * 8 * 3);
    expect(await again.data()).to.deep.equal(await both.data());
    expect(largestDifference(await alone.data(), first)).to.be.below(1e-5);
    expect(largestDifference(await other.data(), first)).to.be.above(1e-2);
    const [drawn, anew] = [net.forward(images(2), t), net.forward(images(2), t)];
    await evaluate(drawn, anew);
    expect(largestDifference(await drawn.data(), await anew.data())).to.be.above(1e-2);
  });

  it("distinguishes integer time steps", async () => {
    net.eval();
    const [float, integer, later] = [
      tensor([3, 3]),
      tensor([3, 3], [2], { dtype: "i32" }),
      tensor([900, 900]),
    ].map((t) => net.forward(images(2), t)) as [Tensor, Tensor, Tensor];
    expect(await integer.data()).to.deep.equal(await float.data());
    expect(largestDifference(await later.data(), await float.data())).to.be.above(1e-2);
  });

  it("refuses shapes with a sentence", () => {
    using deep = new UNet({
      imageSize: 32,
      baseChannels: 32,
      heads: 2,
      channelMultipliers: [1, 1],
      blocksPerLevel: 1,
    });
    const t = tensor([1]);
    const x = (...shape: number[]) => tensor(new Float32Array(shape.reduce((a, b) => a * b)), shape);
    expect(() => deep.forward(x(1, 8, 7, 3), t)).to.throw(
      ShapeError,
      /H and W multiples of 2, but is \[1, 8, 7, 3\]/,
    );
    expect(() => deep.forward(x(8, 8, 3), t)).to.throw(ShapeError, /x must be \[N, H, W, C\]/);
    expect(() => deep.forward(x(2, 8, 8, 3), t)).to.throw(
      ShapeError,
      /t must be \[2\], one time step an image/,
    );
    expect(() => deep.forward(x(1, 8, 8, 1), t)).to.throw(
      ShapeError,
      /^Conv2d: x .* has 1 channels but the layer takes 3/,
    );
  });
});
