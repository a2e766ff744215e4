/** Presets: the published numbers, how they meet a protocol and what is given, and what a network costs. */
import { expect } from "chai";
import { configOver } from "../../node/src/settings.ts";
import { type CategorySettings, categories, findCategory, stepsOfEpochs } from "../src/config/categories.ts";
import { costOf } from "../src/config/cost.ts";
import { parseConfig, resolveConfig } from "../src/config/parse.ts";
import { presets } from "../src/config/presets.ts";
import { type ConfigInput, configSchema } from "../src/config/schema.ts";
import { parseSettings } from "../src/config/settings.ts";
import { createDenoiser } from "../src/diffusion/denoiser.ts";
import { ConfigError } from "../src/errors.ts";

const data = { root: "parts" };

const paper = (preset: string, more: Partial<ConfigInput> = {}) =>
  resolveConfig({ protocol: "paper", preset, data, ...more });

describe("published categories", () => {
  const of = (dataset: string): readonly CategorySettings[] =>
    categories.filter((category) => category.dataset === dataset);
  const total = (settings: readonly CategorySettings[], value: (one: CategorySettings) => number): number =>
    settings.reduce((sum, one) => sum + value(one), 0);
  const steps = ({ epochs, trainingImages }: CategorySettings): number =>
    stepsOfEpochs({ epochs, images: trainingImages, batchSize: 32 });

  it("are 15 of MVTec AD, with its 3629 images, and 12 of VisA", () => {
    expect(of("mvtec")).to.have.length(15);
    expect(of("visa")).to.have.length(12);
    expect(total(of("mvtec"), ({ trainingImages }) => trainingImages)).to.equal(3629);
    expect(total(of("visa"), ({ trainingImages }) => trainingImages)).to.equal(8659);
    // Sums of the README's rows, so that no number is mistyped unseen.
    expect(total(of("mvtec"), ({ guidance }) => guidance)).to.equal(77);
    expect(total(of("visa"), ({ guidance }) => guidance)).to.equal(62);
    expect(total(of("mvtec"), ({ epochs }) => epochs)).to.equal(28_000);
    expect(total(of("visa"), ({ epochs }) => epochs)).to.equal(9500);
    expect(total(of("mvtec"), ({ adaptationEpochs }) => adaptationEpochs)).to.equal(63);
    expect(total(of("visa"), ({ adaptationEpochs }) => adaptationEpochs)).to.equal(46);
  });

  it("take as many optimiser steps as their whole batches make", () => {
    expect(steps(findCategory("mvtec", "toothbrush")!)).to.equal(2000);
    expect(total(of("mvtec"), steps)).to.equal(198_000);
    expect(total(of("visa"), steps)).to.equal(191_000);
    expect(stepsOfEpochs({ epochs: 10, images: 31, batchSize: 32 })).to.equal(0);
  });

  it("are found by the data set's name in any case", () => {
    expect(findCategory("VisA", "pcb1")).to.include({ adaptationBatch: 16, pixelWeight: 7, guidance: 9 });
    expect(findCategory("visa", "pcb2")).to.include({ adaptationBatch: 32, testBatch: 32 });
    expect(findCategory("visa", "cashew")).to.include({ pixelWeight: 1 });
    expect(findCategory("mvtec", "pcb1")).to.equal(undefined);
  });
});

describe("presets", () => {
  it("are all accepted under both protocols, and described", () => {
    expect(presets).to.have.length(31);
    for (const { name, description } of presets) {
      expect(paper(name), name).to.deep.include({ protocol: "paper", preset: name });
      expect(resolveConfig({ preset: name, data }), name).to.include({ protocol: "strict" });
      expect(description).to.match(/^\S.*[^.]$/);
    }
  });

  it("give the paper's protocol all that was published", () => {
    const config = paper("mvtec/screw");
    expect(config.training.steps).to.equal(20_000);
    expect(config.sampling.guidance).to.equal(2);
    expect(config.adaptation).to.include({ steps: 80, batchSize: 16, distillation: 0.1 });
    expect(config.detection).to.include({ pixelWeight: 1, batchSize: 16 });
    const visa = paper("visa/macaroni2");
    expect(visa.training.steps).to.equal(14_000);
    expect(visa.adaptation).to.include({ steps: 616, batchSize: 16, distillation: 0.01, guidance: 3 });
    expect(visa.detection).to.include({ pixelWeight: 7, batchSize: 32 });
  });

  it("give the strict protocol as many visits of a time step, and leave the adaptation's length to its rule", () => {
    const config = resolveConfig({ preset: "mvtec/screw", data });
    expect(config.training).to.include({ steps: 6020, warmup: 301, maxTimestep: 300 });
    expect(config.sampling).to.include({ guidance: 0, eta: 0, limitGuidance: true });
    expect(config.adaptation).to.include({ steps: 200, distillation: 0.1 });
    const all = resolveConfig({ preset: "mvtec/screw", data, training: { maxTimestep: 999 } });
    expect(all.training.steps).to.equal(20_000);
  });

  it("count epochs in the batches that are trained", () => {
    expect(paper("mvtec/screw", { model: { variant: "ddad-s" } }).training).to.include({
      batchSize: 16,
      steps: 40_000,
    });
    expect(paper("mvtec/screw", { training: { batchSize: 160 } }).training.steps).to.equal(4000);
    expect(paper("mvtec/screw+ddad-s").training.steps).to.equal(40_000);
  });

  it("stand below what is given, the later of several winning", () => {
    const config = paper("mvtec/screw", { sampling: { guidance: 7 }, training: { steps: 5 } });
    expect(config.sampling.guidance).to.equal(7);
    expect(config.training.steps).to.equal(5);
    const quick = resolveConfig({ preset: "mvtec/wood + quick", data });
    expect(quick.training.steps).to.equal(3000);
    expect(quick.sampling).to.include({ guidance: 0, steps: 1 });
    expect(paper("mvtec/wood + quick").sampling).to.include({ guidance: 11, steps: 5 });
    expect(quick.data.imageSize).to.equal(128);
    expect(resolveConfig({ preset: "quick+mvtec/wood", data }).training.steps).to.equal(9030);
  });

  it("train half of the steps at half the image size for a laptop and a workstation", () => {
    const laptop = resolveConfig({ preset: "laptop", data });
    expect(laptop.training).to.include({
      ...{ progressive: 0.5, batchSize: 8, learningRate: 1e-3, optimizer: "adamw", schedule: "cosine" },
      ...{ ema: 0.999, warmup: 600 },
    });
    expect(laptop.training.augmentation).to.deep.equal([]);
    expect(laptop.model).to.deep.include({
      baseChannels: 32,
      channelMultipliers: [1, 1, 2, 2, 2],
      dropout: 0,
    });
    // Seconds of the description: an hour at 0.3 TFLOP/s, 80 minutes at 10.
    const seconds = (preset: string, teraflops: number): number =>
      costOf(resolveConfig({ preset, data })).gflopOfTraining / 1e3 / teraflops;
    expect(seconds("laptop", 0.3) / 3600).to.be.within(0.9, 1.1);
    expect(seconds("workstation", 10) / 60).to.be.within(75, 85);
    for (const preset of ["laptop", "workstation"]) {
      const { description } = presets.find(({ name }) => name === preset)!;
      const petaflop = costOf(resolveConfig({ preset, data })).gflopOfTraining / 1e6;
      expect(description).to.contain(`${petaflop.toPrecision(2)} PFLOP`);
      expect(paper(preset).training).to.include({ progressive: 0.5, learningRate: 3e-4, optimizer: "adam" });
      const own = resolveConfig({ preset, data, training: { augmentation: ["verticalFlip"] } });
      expect(own.training.augmentation).to.deep.equal(["verticalFlip"]);
    }
  });

  it("leave a resolved configuration as it is", () => {
    const config = paper("visa/pcb1", { sampling: { guidance: 1 } });
    expect(parseConfig(JSON.parse(JSON.stringify(config)))).to.deep.equal(config);
  });

  it("stand above what a trained model has stored, and below what is asked for beside them", () => {
    const stored = resolveConfig({ data: { root: "parts", imageSize: 128 }, model: { variant: "ddad-s" } });
    const asked = (preset: string, set: string[]) =>
      parseSettings([`preset=${preset}`, ...set], configSchema);
    const over = (set: string[]) => configOver(stored, asked("mvtec/wood", set), [], () => "it is so");
    expect(over([]).sampling.guidance).to.equal(0);
    // Counted in the model's own batches of 16.
    expect(over([]).training).to.include({ batchSize: 16, steps: 9030 });
    expect(over(["sampling.guidance=1"]).sampling.guidance).to.equal(1);
    expect(() =>
      configOver(stored, asked("ddad-s+quick", ["data.imageSize=64"]), ["data.imageSize"], () => "it is so"),
    ).to.throw(ConfigError, /^data\.imageSize is 128 and cannot become 64: it is so\.$/);
    expect(() => configOver(stored, asked("nope", []), [], () => "")).to.throw(
      ConfigError,
      /"nope" does not exist/,
    );
  });

  it("are refused by a name that is none, in one sentence", () => {
    const refused = (preset: unknown, sentence: string): void =>
      void expect(() => parseConfig({ preset, data })).to.throw(ConfigError, new RegExp(`^${sentence}$`));
    refused("mvtec/scerw", 'preset "mvtec/scerw" does not exist; did you mean mvtec/screw\\?');
    refused(
      "quick+",
      'preset "" does not exist; there are quick, laptop, workstation, ddad-s and .*; ddad presets lists them\\.',
    );
    refused(3, "preset must be text, but is 3\\.");
    refused("", 'preset must be text that is not empty, but is ""\\.');
  });

  it("do not hide what is wrong beside them", () => {
    const input = { preset: "mvtec/screw", data, training: { batchSize: "big" }, diffusion: 3 };
    expect(() => parseConfig(input)).to.throw(
      ConfigError,
      /^diffusion must be a section .*\ntraining.batchSize must be a whole number, but is "big"\.$/,
    );
  });
});

describe("costOf", () => {
  const cost = (input: Partial<ConfigInput>) => costOf(resolveConfig({ data, ...input }));

  it("counts the published networks", () => {
    // 71.3 and 18.3 billion multiply-adds a call at 256 pixels, counted layer by layer in PyTorch.
    const whole = cost({});
    expect(whole.parameters).to.equal(32_952_707);
    expect(whole.gflopPerCall / 2).to.be.closeTo(71.3, 0.05);
    expect(whole.gflopPerStep).to.be.closeTo(13_700, 50);
    const small = cost({ model: { variant: "ddad-s" } });
    expect(small.parameters).to.equal(8_257_731);
    expect(small.gflopPerCall / 2).to.be.closeTo(18.3, 0.05);
    expect(small.gflopPerImage).to.equal(4 * small.gflopPerCall);
    const published = { variant: "ddad-s" } as const;
    expect(cost({ protocol: "paper", model: published }).gflopPerImage).to.equal(10 * small.gflopPerCall);
    const drawn = cost({ model: published, sampling: { draws: 3 } });
    expect(drawn.gflopPerImage).to.be.closeTo(3 * small.gflopPerCall, 1e-9);
  });

  it("counts a network of one level by hand", () => {
    const { gflopPerCall } = cost({
      data: { root: "parts", imageSize: 8 },
      model: { baseChannels: 32, channelMultipliers: [1], blocksPerLevel: 1, attentionSizes: [] },
      sampling: { start: 100, stride: 50 },
      detection: { blurSigma: 1 },
    });
    const convolution = 9 * 32 * 32;
    // In and out; blocks down, twice in the middle and twice up, where the joined parts need another projection.
    const blocks = 3 * 2 * convolution + 2 * (3 * convolution + 64 * 32);
    const perPosition = 2 * 9 * 3 * 32 + blocks;
    const attention = 64 * 4 * 32 * 32 + 2 * 64 * 64 * 32;
    const time = 32 * 128 + 128 * 128 + 5 * 128 * 32;
    expect(gflopPerCall).to.be.closeTo((2 * (64 * perPosition + attention + time)) / 1e9, 1e-9);
  });

  it("counts the very network that is built, whatever its settings", () => {
    const config = resolveConfig({
      data: { root: "parts", imageSize: 16 },
      model: {
        ...{ baseChannels: 32, heads: 2, dropout: 0.5, blocksPerLevel: 3 },
        ...{ channelMultipliers: [1, 2, 2], attentionSizes: [4] },
      },
      detection: { blurSigma: 1 },
    });
    using denoiser = createDenoiser(config);
    const built = [...denoiser.namedState().values()].reduce((sum, { size }) => sum + size, 0);
    expect(costOf(config).parameters).to.equal(built);
  });

  it("of the quick preset is a small part of the paper's", () => {
    const quick = cost({ preset: "quick" });
    const published = costOf(paper("mvtec/screw"));
    expect(quick.gflopPerImage).to.be.closeTo(43.7, 0.1);
    expect(quick.gflopOfTraining / 1e6).to.be.closeTo(1.57, 0.01);
    expect(published.gflopOfTraining / quick.gflopOfTraining).to.be.above(150);
  });
});
