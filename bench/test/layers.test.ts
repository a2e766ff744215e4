/** Which models are measured where; PyTorch's must be as large as ours. */
import { readFileSync } from "node:fs";
import { countParameters, resNetSizes } from "@ddad/nn";
import { unetLayout } from "@ddad/nn/internal";
import { expect } from "chai";
import { blockFamilies } from "../src/layers/blocks.ts";
import { denoiserFamilies } from "../src/layers/denoisers.ts";
import type { Conditions } from "../src/layers/family.ts";
import { inspectionFamilies } from "../src/layers/inspection.ts";

const namesOf = (conditions: Conditions): string[] =>
  [...blockFamilies, ...denoiserFamilies(conditions), ...inspectionFamilies(conditions)].flatMap(
    ({ names }) => names,
  );

describe("cases of layers", () => {
  it("a GPU trains the paper's batch at the paper's size, in both precisions", () => {
    const names = namesOf({ adapterClass: "discrete", f16: true, quick: false });
    expect(names).to.include.members([
      "DDAD-S 256²: forward pass, batch 1",
      "DDAD-S 256²: forward pass, batch 1, mixed",
      "DDAD-S 256²: training step, batch 16",
      "DDAD-S 256²: training step, batch 16, mixed",
      "DDAD-S 256²: reconstruction of one image, 10 sampling steps",
      "wide_resnet101_2 256²: features of one image",
      "DDAD-S 256² with wide_resnet101_2: inspection of one image",
    ]);
    expect(new Set(names).size).to.equal(names.length);
  });

  it("a CPU gets batches and sizes that it can bear, and its names say so", () => {
    const names = namesOf({ adapterClass: "software", f16: true, quick: false });
    expect(names).to.include("DDAD-S 64²: training step, batch 2");
    expect(names).to.include("DDAD-S 256²: training step, batch 1");
    expect(
      names.filter((name) => /batch 16|wide_resnet|256².*(reconstruction|inspection)/.test(name)),
    ).to.deep.equal([]);
  });

  it("quick ones are small, and without f16 none is mixed", () => {
    const quick = namesOf({ adapterClass: "discrete", f16: true, quick: true });
    expect(quick.filter((name) => name.includes("256²"))).to.deep.equal([]);
    const plain = namesOf({ adapterClass: "discrete", f16: false, quick: false });
    expect(plain.filter((name) => name.includes("mixed"))).to.deep.equal([]);
  });
});

describe("bench/torch.py", () => {
  const source = readFileSync(new URL("../pytorch/cases.py", import.meta.url), "utf8");
  const sum = (layout: ReadonlyMap<string, readonly number[]>): number =>
    [...layout.values()].reduce((total, shape) => total + shape.reduce((a, b) => a * b, 1), 0);
  const small = { imageSize: 32, channelMultipliers: [1, 2, 2], blocksPerLevel: 1 };
  const networks: Record<string, number> = {
    "DDAD-S of 64²": sum(unetLayout({ imageSize: 64, baseChannels: 32 })),
    "DDAD-S of 256²": sum(unetLayout({ imageSize: 256, baseChannels: 32 })),
    "the small UNet": sum(unetLayout({ ...small, baseChannels: 32 })),
    resnet18: countParameters({ ...resNetSizes.resnet18, lastLayer: "layer3" }),
    wide_resnet101_2: countParameters({ ...resNetSizes.wideResnet101_2, lastLayer: "layer3" }),
  };
  for (const [network, parameters] of Object.entries(networks)) {
    it(`expects the parameters of ${network}`, () => {
      expect(source).to.match(new RegExp(`\\b${parameters}\\b`));
    });
  }
});
