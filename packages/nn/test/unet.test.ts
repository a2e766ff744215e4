import { expect } from "chai";
import { sharedOrSkip } from "../../tensor/test/shared.ts";
import { UNet } from "../src/models/unet/unet.ts";
import type { Parameter } from "../src/parameter.ts";
import { torchShape } from "../src/stateDict.ts";
import { readLayout } from "./golden.ts";

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
