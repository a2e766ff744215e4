/** Completing and checking a configuration. */
import { expect } from "chai";
import { boundSettings, settingsBound } from "../src/config/binding.ts";
import { parseConfig, parseStoredConfig, resolveConfig } from "../src/config/parse.ts";
import { translateRenamed } from "../src/config/renamed.ts";
import { type ConfigInput, configSchema } from "../src/config/schema.ts";
import { configKeys, mergeConfig } from "../src/config/settings.ts";
import { ConfigError } from "../src/errors.ts";
import { smallConfig } from "./small.ts";

const data = { root: "parts" };

/** The problems of a configuration; fails when it has none. */
function problems(input: unknown): readonly string[] {
  try {
    parseConfig(input);
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigError);
    return (error as ConfigError).problems;
  }
  throw new Error("The configuration was accepted.");
}

describe("resolveConfig", () => {
  it("gives the strict protocol without being asked", () => {
    const config = resolveConfig({ data });
    expect(config.protocol).to.equal("strict");
    expect(config.data).to.deep.equal({
      root: "parts",
      imageSize: 256,
      heldOut: 0.1,
      splitSeed: 42,
      orientation: "exif",
    });
    expect(config.training).to.deep.include({
      maxTimestep: 300,
      ema: 0.999,
      clip: 1,
      schedule: "cosine",
      warmup: 200,
    });
    expect(config.sampling).to.deep.equal({
      start: 100,
      stride: 25,
      steps: 1,
      guidance: 0,
      limitGuidance: true,
      eta: 0,
      startNoise: true,
      draws: 4,
      from: "self",
      seed: 42,
    });
    const byStride = resolveConfig({ data, sampling: { start: 250, stride: 25 } });
    expect(byStride.sampling).to.not.have.property("steps");
    expect(config.features).to.deep.equal({ network: "none", imageSize: 256 });
    expect(config.detection).to.deep.equal({
      distance: "whitened",
      pixelWeight: 1,
      batchSize: 16,
      blurSigma: 4,
      crop: 0,
      pixelFalseAlarmRate: 0.001,
    });
  });

  it("takes one draw where there is no noise", () => {
    const draws = (sampling: NonNullable<ConfigInput["sampling"]>): number =>
      resolveConfig({ data, sampling }).sampling.draws;
    expect(draws({ startNoise: false })).to.equal(1);
    expect(draws({ startNoise: false, eta: 1 })).to.equal(4);
    expect(draws({ eta: 1 })).to.equal(4);
  });

  it("reads what version 0.1 stored of the strict protocol as it was then", () => {
    const { sampling, features, detection, nearest: _, ...others } = resolveConfig({ data });
    const { draws: __, from: ___, steps: ____, ...stored } = sampling;
    const { distance: _____, ...compared } = detection;
    const { augmentation: ______, progressive: _______, ...training } = others.training;
    const { channels: ________, ...patchcore } = others.patchcore;
    const before = {
      ...{ ...others, training, patchcore },
      sampling: { ...stored, start: 250, stride: 25, guidance: 2, startNoise: false },
      features: { network: "resnet18" },
      detection: compared,
    };
    for (const network of ["none", "resnet18"]) {
      const config = parseStoredConfig({ ...before, features: { network } });
      expect(config.sampling).to.deep.equal({ ...before.sampling, draws: 1, from: "self" });
      expect(config.features).to.deep.equal({ network, imageSize: 0 });
      expect(config.detection).to.include({ distance: "cosine" }).and.not.to.have.property("layers");
      expect(config.nearest.by).to.equal("pixels");
      expect(config.training).to.deep.include({ augmentation: [], progressive: 0 });
      expect(config.patchcore.channels).to.equal("equal");
    }
  });

  it("turns no images where a configuration was stored by a version that did not", () => {
    const { orientation, ...stored } = resolveConfig({ data }).data;
    expect(orientation).to.equal("exif");
    expect(parseStoredConfig({ data: stored }).data.orientation).to.equal("stored");
    expect(parseStoredConfig({ data: { ...stored, orientation } }).data.orientation).to.equal("exif");
    expect(() => parseStoredConfig("x")).to.throw(ConfigError, "must be a set of named settings");
  });

  it("gives the published settings for the paper protocol", () => {
    const config = resolveConfig({ protocol: "paper", data });
    expect(config.data.orientation).to.equal("stored");
    expect(config.model).to.deep.equal({
      variant: "ddad",
      baseChannels: 64,
      heads: 4,
      dropout: 0,
      blocksPerLevel: 2,
    });
    expect(config.diffusion).to.deep.equal({ steps: 1000, betaFrom: 1e-4, betaTo: 0.02 });
    expect(config.training).to.deep.include({
      batchSize: 32,
      learningRate: 3e-4,
      optimizer: "adam",
      weightDecay: 0.05,
      lossReduction: "sum",
      schedule: "constant",
      warmup: 0,
      clip: 0,
      ema: 0,
      maxTimestep: 999,
    });
    expect(config.sampling).to.deep.include({
      start: 250,
      stride: 25,
      eta: 1,
      startNoise: true,
      limitGuidance: false,
    });
    expect(config.detection).to.deep.include({ blurSigma: 4, crop: 224 });
    expect(config.data.heldOut).to.equal(0);
  });

  it("gives the small network its size, dropout and batch", () => {
    const { model, training } = resolveConfig({ data, model: { variant: "ddad-s" } });
    expect(model).to.deep.include({ baseChannels: 32, heads: 2, dropout: 0.3 });
    expect(training.batchSize).to.equal(16);
  });

  it("lets what is given win, key by key", () => {
    const config = resolveConfig({
      data: { root: "parts", imageSize: 64 },
      model: { variant: "ddad-s", dropout: 0, channelMultipliers: [1, 2] },
      training: { steps: 100, ema: 0 },
    });
    expect(config.model).to.deep.equal({
      variant: "ddad-s",
      baseChannels: 32,
      heads: 2,
      dropout: 0,
      channelMultipliers: [1, 2],
      blocksPerLevel: 2,
    });
    expect(config.training).to.deep.include({ steps: 100, warmup: 5, ema: 0, clip: 1 });
    expect(config.detection.blurSigma).to.equal(1);
  });

  it("does not change its input, and resolves a resolved one to itself", () => {
    const input: ConfigInput = Object.freeze({
      data: Object.freeze({ root: "parts" }),
      training: Object.freeze({}),
    });
    const config = resolveConfig(input);
    expect(resolveConfig(config)).to.deep.equal(config);
  });

  it("is checked by the compiler, too", () => {
    // @ts-expect-error batch_size is no setting
    expect(() => resolveConfig({ data, training: { batch_size: 3 } })).to.throw(ConfigError);
    // @ts-expect-error the root is text
    expect(() => resolveConfig({ data: { root: 3 } })).to.throw(ConfigError);
  });
});

describe("parseConfig", () => {
  const cases: [string, object, string][] = [
    ["a missing root", {}, "data.root is missing: it must be text."],
    ["an empty root", { data: { root: "" } }, 'data.root must be text that is not empty, but is "".'],
    [
      "text for a number",
      { training: { steps: "many" } },
      'training.steps must be a whole number, but is "many".',
    ],
    [
      "a broken number",
      { training: { batchSize: 2.5 } },
      "training.batchSize must be a whole number, but is 2.5.",
    ],
    [
      "a size others hang on",
      { data: { root: "a", imageSize: -64 } },
      "data.imageSize must be at least 8, but is -64.",
    ],
    ["steps others hang on", { training: { steps: -1 } }, "training.steps must be at least 1, but is -1."],
    ["NaN", { training: { clip: Number.NaN } }, "training.clip must be a number, but is NaN."],
    ["a number too small", { training: { steps: 0 } }, "training.steps must be at least 1, but is 0."],
    ["a number too large", { training: { ema: 1 } }, "training.ema must be less than 1, but is 1."],
    [
      "a number not positive",
      { training: { learningRate: 0 } },
      "training.learningRate must be more than 0, but is 0.",
    ],
    [
      "a word that is none of those allowed",
      { protocol: "loose" },
      'protocol must be one of strict, paper, but is "loose".',
    ],
    [
      "a yes that is no boolean",
      { sampling: { startNoise: "yes" } },
      'sampling.startNoise must be true or false, but is "yes".',
    ],
    ["a null", { training: { clip: null } }, "training.clip must be a number, but is null."],
    [
      "a section that is none",
      { training: 3 },
      "training must be a section with settings of its own, but is 3.",
    ],
    [
      "a list that is none",
      { model: { channelMultipliers: 2 } },
      "model.channelMultipliers must be a list, but is 2.",
    ],
    [
      "an empty list",
      { model: { channelMultipliers: [] } },
      "model.channelMultipliers must be a list of at least 1, but is [].",
    ],
    [
      "a wrong entry",
      { model: { channelMultipliers: [1, "b"] } },
      'model.channelMultipliers.1 must be a number, but is "b".',
    ],
    [
      "a misspelt key",
      { training: { lerningRate: 1 } },
      "training.lerningRate is no setting; did you mean training.learningRate?",
    ],
    [
      "a key in snake case",
      { training: { batch_size: 8 } },
      "training.batch_size is no setting; did you mean training.batchSize?",
    ],
    [
      "a key of another section",
      { batchSize: 8 },
      "batchSize is no setting; did you mean training.batchSize?",
    ],
    [
      "a seed, first where it is looked for",
      { sampling: { sed: 8 } },
      "sampling.sed is no setting; did you mean sampling.seed?",
    ],
    ["a misspelt section", { trainning: {} }, "trainning is no setting; did you mean training?"],
    [
      "a key like no other",
      { detection: { frobnicate: 1 } },
      "detection.frobnicate is no setting; detection has distance, layers, pixelWeight, batchSize, blurSigma, crop, falseAlarmRate, pixelFalseAlarmRate.",
    ],
    [
      "a section like no other",
      { xyzzy: 1 },
      "xyzzy is no setting; there are protocol, preset, method, precision, data, model, diffusion, training, sampling, features, nearest, patchcore, adaptation, detection.",
    ],
    [
      "an image size without multipliers",
      { data: { root: "a", imageSize: 96 } },
      "data.imageSize 96 has no network by default: take 128, or another of 32, 64, 128, 256, 512, or give model.channelMultipliers.",
    ],
    [
      "an image size that cannot be halved",
      { data: { root: "a", imageSize: 100 }, model: { channelMultipliers: [1, 1, 2, 2] } },
      "data.imageSize must be a multiple of 8, to be halved 3 times for 4 levels, but is 100.",
    ],
    [
      "betas that fall",
      { diffusion: { betaFrom: 0.1 } },
      "diffusion.betaFrom must be at most diffusion.betaTo (0.02), but is 0.1.",
    ],
    [
      "a micro-batch that does not divide",
      { training: { batchSize: 8, microBatch: 3 } },
      "training.microBatch must divide training.batchSize (8), but is 3.",
    ],
    [
      "a warm-up longer than the training",
      { training: { steps: 10, warmup: 10 } },
      "training.warmup must be below training.steps (10), but is 10.",
    ],
    [
      "a time step that does not exist",
      { training: { maxTimestep: 1000 } },
      "training.maxTimestep must be below diffusion.steps (1000), but is 1000.",
    ],
    [
      "a start that does not exist",
      { sampling: { start: 1000, stride: 1000 } },
      "sampling.start must be below diffusion.steps (1000), but is 1000.",
    ],
    [
      "a start beyond what is trained",
      { sampling: { start: 400 } },
      "training.maxTimestep must be at least 400, where sampling.start first calls the network, but is 300.",
    ],
    [
      "a blur wider than the image",
      { data: { root: "a", imageSize: 32 }, detection: { blurSigma: 8 } },
      "detection.blurSigma must be at most 7.75 for data.imageSize 32, but is 8.",
    ],
    [
      "a crop larger than the image",
      { detection: { crop: 300 } },
      "detection.crop must be at most data.imageSize (256), but is 300.",
    ],
  ];
  for (const [what, input, sentence] of cases) {
    it(`refuses ${what} in one sentence`, () => {
      const complete = what === "a missing root" ? input : mergeConfig({ data }, input);
      expect(problems(complete)).to.deep.equal([sentence]);
    });

    it("names the nearest channels that the norms of the network take", () => {
      const problem = (model: object): string => {
        try {
          resolveConfig({ data: { root: "parts", imageSize: 64 }, model });
        } catch (error) {
          return (error as Error).message;
        }
        return "";
      };
      expect(problem({ baseChannels: 16, channelMultipliers: [1, 2] })).to.equal(
        "model.baseChannels 16 gives levels of 16, 32 channels, but each must be a multiple of 32: take 32.",
      );
      expect(problem({ baseChannels: 80 })).to.match(/, but each must be a multiple of 32: take 64 or 96\.$/);
      expect(problem({ baseChannels: 48, channelMultipliers: [2] })).to.equal("");
      expect(() => resolveConfig({ data: { root: "parts", imageSize: 65 } })).to.throw(
        /by default: take 64, /,
      );
    });
  }

  it("lists all problems at once", () => {
    const input = {
      protocol: "x",
      training: { steps: "a", seeed: 1, microBatch: 7 },
      sampling: { start: 5000 },
    };
    expect(problems(input)).to.deep.equal([
      'protocol must be one of strict, paper, but is "x".',
      "data.root is missing: it must be text.",
      'training.steps must be a whole number, but is "a".',
      "training.seeed is no setting; did you mean training.seed?",
      "training.microBatch must divide training.batchSize (32), but is 7.",
      "sampling.start must be below diffusion.steps (1000), but is 5000.",
      "training.maxTimestep must be at least 5000, where sampling.start first calls the network, but is 300.",
    ]);
  });

  it("refuses what is no set of settings", () => {
    for (const input of [null, 3, "a", [1]]) expect(problems(input)[0]).to.include("set of named settings");
    expect(problems(JSON.parse('{"data": {"root": "a"}, "__proto__": {"x": 1}}'))[0]).to.include(
      "__proto__ is no setting",
    );
  });
});

describe("settings of version 0.1", () => {
  it("are read under the names that they have now", () => {
    const config = parseConfig({ data, sampling: { calls: 5 } });
    expect(config.sampling).to.include({ steps: 5 });
    const { settings, notices } = translateRenamed({ data, sampling: { calls: 5, eta: 0 } });
    expect(settings).to.deep.equal({ data, sampling: { steps: 5, eta: 0 } });
    expect(notices).to.deep.equal(["The setting sampling.calls is called sampling.steps now."]);
    expect(translateRenamed({ data }).notices).to.deep.equal([]);
  });
});

describe("the table of settings", () => {
  it("says of every setting what it binds", () => {
    const silent = configKeys(configSchema).filter(({ binds }) => binds === undefined);
    expect(silent.map(({ path }) => path)).to.deep.equal([]);
  });

  it("gives the lists of what must stay", () => {
    expect(boundSettings("run")).to.include.members(["precision", "training.batchSize", "data.imageSize"]);
    expect(boundSettings("run")).to.not.include.members(["training.steps", "training.memory", "data.root"]);
    expect(boundSettings("calibration")).to.include.members(["sampling.steps", "features.network"]);
    expect(boundSettings("calibration")).to.not.include("detection.falseAlarmRate");
    expect(Object.keys(settingsBound("adaptation", smallConfig()))).to.include("adaptation.learningRate");
  });
});
