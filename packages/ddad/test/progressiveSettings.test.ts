/** Settings of a progressive training: the same network at half the image size, what it costs, which sizes it needs. */
import { expect } from "chai";
import { costOf, stepsLeft } from "../src/config/cost.ts";
import { parseConfig, resolveConfig } from "../src/config/parse.ts";
import { halfSizeConfig, stepsAtHalfSize } from "../src/config/progressive.ts";
import type { Config } from "../src/config/schema.ts";
import { createDenoiser } from "../src/diffusion/denoiser.ts";

const configOf = (training: Partial<Config["training"]> = {}): Config =>
  resolveConfig({
    data: { root: "parts", imageSize: 16 },
    model: {
      ...{ baseChannels: 32, heads: 1, dropout: 0.1, blocksPerLevel: 1 },
      ...{ channelMultipliers: [1, 1], attentionSizes: [8] },
    },
    training: { steps: 6, batchSize: 4, warmup: 0, progressive: 0.5, checkpointEvery: 2, ...training },
  });

describe("the first phase", () => {
  it("has the very parameters of the whole network", () => {
    const shapes = (config: Config) => {
      using denoiser = createDenoiser(config);
      return [...denoiser.namedState()].map(([name, { shape }]) => [name, [...shape]]);
    };
    const whole = [
      configOf(),
      resolveConfig({ preset: "quick", data: { root: "." } }),
      // A size counts by how often it goes into the image, so 15 stands for an eighth of 128.
      resolveConfig({
        data: { root: ".", imageSize: 128 },
        model: { baseChannels: 32, channelMultipliers: [1, 1, 2, 2], attentionSizes: [64, 15] },
      }),
      resolveConfig({
        data: { root: ".", imageSize: 24 },
        model: { baseChannels: 32, channelMultipliers: [1, 1, 1], attentionSizes: [] },
      }),
    ];
    for (const config of whole) {
      const half = halfSizeConfig(config);
      expect(half.data.imageSize).to.equal(config.data.imageSize / 2);
      expect(shapes(half)).to.deep.equal(shapes(config));
    }
    expect(halfSizeConfig(whole[1]!).model.attentionSizes).to.deep.equal([16, 8, 4]);
  });

  it("takes a fraction of the steps, never the last one", () => {
    const steps = (count: number, progressive: number) => stepsAtHalfSize({ steps: count, progressive });
    expect([steps(100, 0), steps(100, 0.29), steps(3, 0.5), steps(5, 0.99), steps(1, 0.5)]).to.deep.equal([
      0, 29, 2, 4, 0,
    ]);
  });

  it("costs about a quarter a step", () => {
    const whole = costOf(configOf({ progressive: 0 }));
    const both = costOf(configOf({ progressive: 0.5 }));
    const half = costOf(halfSizeConfig(configOf()));
    expect(both.gflopPerStep).to.equal(whole.gflopPerStep);
    expect(half.gflopPerStep / whole.gflopPerStep).to.be.within(0.2, 0.26);
    expect(both.gflopOfTraining).to.be.closeTo(3 * half.gflopPerStep + 3 * whole.gflopPerStep, 1e-9);
  });

  it("leaves more to do than its number of steps says", () => {
    const config = configOf({ progressive: 0.5 });
    const ratio = costOf(config).gflopPerStep / costOf(halfSizeConfig(config)).gflopPerStep;
    expect(stepsLeft(config, 1)).to.be.closeTo(2 + 3 * ratio, 1e-9);
    expect([3, 4, 6].map((step) => stepsLeft(config, step))).to.deep.equal([3, 2, 0]);
    expect(stepsLeft(configOf({ progressive: 0 }), 1)).to.equal(5);
  });

  it("needs a half that fits the levels", () => {
    const input = {
      data: { root: ".", imageSize: 24 },
      model: { baseChannels: 32, channelMultipliers: [1, 1, 1, 1] },
      training: { progressive: 0.5 },
    };
    expect(() => parseConfig(input)).to.throw(
      "training.progressive trains at half of data.imageSize first, to be halved 3 times for 4 levels: " +
        "data.imageSize must be a multiple of 16, but is 24; take 16 or 32, or set training.progressive to 0.",
    );
    expect(() => parseConfig({ ...input, training: { progressive: 0 } })).not.to.throw();
    expect(() => parseConfig({ ...input, data: { root: ".", imageSize: 32 } })).not.to.throw();
    // One rule speaks where the whole size does not fit either.
    expect(() => parseConfig({ ...input, data: { root: ".", imageSize: 28 } })).to.throw(
      /^data\.imageSize must be a multiple of 8.*\.$/,
    );
    expect(() => parseConfig({ data: { root: "." }, training: { progressive: 1 } })).to.throw(
      "training.progressive must be less than 1, but is 1.",
    );
  });
});
