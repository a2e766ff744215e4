/** State dicts known without a network: they are those of the networks, and the networks are known by them. */
import { expect } from "chai";
import { sharedOrSkip } from "../../tensor/test/shared.ts";
import { matchLayout, type StateLayout } from "../src/checkpoint/layouts/layout.ts";
import {
  nameResNet,
  recogniseResNet,
  resNetLayout,
  torchvisionNames,
} from "../src/checkpoint/layouts/resNetLayout.ts";
import { recogniseUNet, unetLayout } from "../src/checkpoint/layouts/unetLayout.ts";
import { ResNet } from "../src/models/resnet/resnet.ts";
import { resNetSizes } from "../src/models/resnet/variants.ts";
import type { UNetOptions } from "../src/models/unet/options.ts";
import { UNet } from "../src/models/unet/unet.ts";
import type { Module } from "../src/module.ts";
import { slotOf } from "../src/module.ts";
import { type StateDict, torchShape } from "../src/stateDict.ts";
import { readLayout } from "./golden.ts";

/** A state dict of these shapes, without elements. */
const dictOf = (layout: StateLayout): StateDict =>
  new Map([...layout].map(([name, shape]) => [name, { shape, dtype: "f32", data: new Float32Array(0) }]));

function stateOf(net: Module): StateLayout {
  return new Map(
    [...net.namedState()].map(([name, variable]) => [
      name,
      torchShape(slotOf(variable).layout, variable.shape),
    ]),
  );
}

describe("layout of the UNet", () => {
  const published = [32, 64, 128, 256, 512].map((imageSize) => ({ imageSize, baseChannels: 64 }));
  const others: UNetOptions[] = [
    { imageSize: 32, baseChannels: 32, channelMultipliers: [1, 2], blocksPerLevel: 1 },
    { imageSize: 16, baseChannels: 32, channelMultipliers: [1], blocksPerLevel: 3 },
    { imageSize: 64, baseChannels: 32, channelMultipliers: [1, 1, 1], attentionSizes: [] },
    {
      imageSize: 64,
      baseChannels: 32,
      channelMultipliers: [2, 1, 3],
      attentionSizes: [64, 16],
      blocksPerLevel: 2,
    },
  ];

  it("is what the network has", () => {
    for (const options of others) {
      using net = new UNet({ heads: 1, ...options });
      expect([...unetLayout(options)]).to.deep.equal([...stateOf(net)]);
    }
  });

  for (const [name, options] of [
    ["unet_micro", others[0]!],
    ["unet_tiny", { imageSize: 32, baseChannels: 32 }],
  ] as const) {
    it(`is PyTorch's: ${name}`, function () {
      const { entries } = readLayout(sharedOrSkip(this, "golden", `${name}.layout.json`));
      expect([...unetLayout(options)]).to.deep.equal(entries.map((found) => [found.name, found.shape]));
    });
  }

  it("has as many keys and parameters as the published networks", () => {
    const layout = unetLayout({ imageSize: 256 });
    const sum = [...layout.values()].reduce((total, shape) => total + shape.reduce((a, b) => a * b, 1), 0);
    expect([layout.size, sum]).to.deep.equal([566, 32_952_707]);
  });

  it("tells the network", () => {
    for (const options of [...published, ...others]) {
      const found = recogniseUNet(dictOf(unetLayout(options)))!;
      const { imageSize } = options;
      const { attentionFactors, ...sizes } = found;
      const attentionSizes = attentionFactors.map((factor) => imageSize / factor);
      const again = unetLayout({ ...sizes, imageSize, attentionSizes });
      expect([...again]).to.deep.equal([...unetLayout(options)]);
    }
    for (const { imageSize, baseChannels } of published) {
      const found = recogniseUNet(dictOf(unetLayout({ imageSize, baseChannels })))!;
      expect(found).to.include({ imageSize, baseChannels, inChannels: 3, blocksPerLevel: 2 });
    }
    expect(recogniseUNet(dictOf(unetLayout(others[0]!)))!.imageSize).to.equal(undefined);
    expect(recogniseUNet(dictOf(resNetLayout(resNetSizes.resnet18)))).to.equal(undefined);
  });

  it("says what does not fit", () => {
    const dict = dictOf(unetLayout({ imageSize: 32 }));
    dict.delete("out.2.bias");
    dict.set("out.0.weight", { shape: [3], dtype: "f32", data: new Float32Array(3) });
    dict.set("extra", { shape: [], dtype: "f32", data: new Float32Array(1) });
    const { matched, ...rest } = matchLayout(dict, unetLayout({ imageSize: 32 }));
    expect(rest).to.deep.equal({ missing: ["out.2.bias"], unknown: ["extra"], reshaped: ["out.0.weight"] });
    expect(matched).to.have.length(dict.size - 2);
  });
});

describe("layout of ResNets", () => {
  const small = { baseChannels: 8, numClasses: 5, init: "zeros" } as const;
  const networks = [
    { block: "basic", layers: [2, 1, 1, 1] },
    { layers: [1, 2, 1, 1], widthPerGroup: 128 },
    { layers: [1, 1, 2, 1], style: "caffe" },
    { layers: [2, 1, 1, 1], style: "preactivation" },
    { layers: [1, 2, 1, 1], style: "preactivation", lastLayer: "layer3" },
    { layers: [1, 1, 1, 1], lastLayer: "layer2" },
    { layers: [2], style: "preactivation", lastLayer: "layer1" },
  ] as const;

  it("is what the network has", () => {
    for (const network of networks) {
      using net = new ResNet({ ...network, ...small });
      const layout = resNetLayout({ ...network, ...small });
      expect([...layout.keys()]).to.have.members([...stateOf(net).keys()]);
      for (const [name, shape] of stateOf(net)) expect(layout.get(name), name).to.deep.equal(shape);
    }
  });

  it("is torchvision's: resnet50", function () {
    const { entries } = readLayout(sharedOrSkip(this, "golden", "resnet50.layout.json"));
    expect([...resNetLayout(resNetSizes.resnet50)]).to.deep.equal(
      entries.map(({ name, shape }) => [name, shape]),
    );
  });

  it("tells every named network", () => {
    for (const [torchName, name] of torchvisionNames) {
      const layout = resNetLayout(resNetSizes[name]);
      const options = recogniseResNet(dictOf(layout))!;
      expect(nameResNet(options)).to.equal(torchName);
      expect([...resNetLayout(options)]).to.deep.equal([...layout]);
    }
    expect([...torchvisionNames.keys()]).to.include.members(["wide_resnet50_2", "wide_resnet101_2"]);
    expect(recogniseResNet(dictOf(unetLayout({ imageSize: 32 })))).to.equal(undefined);
    const odd = recogniseResNet(dictOf(resNetLayout({ layers: [3, 8, 8] })))!;
    expect(odd.layers).to.deep.equal([3, 8, 8]);
    expect(nameResNet(odd)).to.equal(undefined);
  });
});
