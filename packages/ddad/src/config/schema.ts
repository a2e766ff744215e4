/**
 * The settings of a run: one schema says which there are, what they mean and what they may be. What is not given
 * comes from presets and the protocol, so a resolved configuration is complete and can be stored with its result.
 */
import * as z from "zod";
import { augmentations } from "../data/augmentation.ts";
import { datasetFormats } from "../data/sample.ts";
import { extractorNetworks } from "../detection/features.ts";
import { orientations } from "../images/orientation.ts";
import { patchChannels } from "../patchcore/patches.ts";
import { count, fraction, setting } from "./setting.ts";

export type { Bound } from "./setting.ts";

/** Ways of telling defects. Only `ddad` trains a network. */
export const methods = ["ddad", "nearest", "patchcore", "patchcore+nearest"] as const;

/** Every setting with its bounds and a description, as zod's schema of a complete configuration. */
export const configSchema = z.strictObject({
  protocol: setting(
    z.enum(["strict", "paper"]),
    ["run", "model", "adaptation"],
    "strict fixes what misleads in the published code; paper reproduces it",
  ),
  preset: setting(
    z.string().min(1).optional(),
    [],
    "settings by name, such as mvtec/screw or quick; settings that are given override them; join several with +",
  ),
  method: setting(
    z.enum(methods),
    ["run", "model"],
    "ddad compares an image with its reconstruction, nearest with the nearest good image, patchcore its patches with those of good images; patchcore+nearest adds both",
  ),
  precision: setting(
    z.enum(["f32", "mixed"]),
    ["run", "calibration"],
    "mixed keeps features and weights of the network in f16 where the adapter supports it",
  ),
  data: z.strictObject({
    root: setting(z.string().min(1), [], "folder of the data set"),
    category: setting(
      z.string().min(1).optional(),
      ["run"],
      "folder below the root, where the root holds several data sets",
    ),
    test: setting(z.string().min(1).optional(), [], "test folder; default: test in the data set"),
    format: setting(
      z.enum(datasetFormats).optional(),
      [],
      "layout of the data set, where more than one fits",
    ),
    imageSize: setting(count(8, 8192), ["run", "model"], "side in pixels to which each image is resized"),
    heldOut: setting(
      fraction(),
      ["run", "model"],
      "fraction of the good training images held out for validation and calibration",
    ),
    splitSeed: setting(count(0), ["run", "model"], "seed of the hash that divides the images"),
    orientation: setting(
      z.enum(orientations),
      ["run", "model"],
      "exif turns images as viewers show them, stored does not; models of version 0.1 have stored",
    ),
  }),
  model: z.strictObject({
    variant: setting(
      z.enum(["ddad", "ddad-s"]),
      ["run", "model"],
      "the paper's network or its small one; the settings below override it",
    ),
    baseChannels: setting(count(1, 8192), ["run", "model"], "channels of the first level"),
    heads: setting(count(1, 1024), ["run", "model"], "attention heads"),
    dropout: setting(fraction(), ["run", "model"], "fraction of activations dropped in training"),
    channelMultipliers: setting(
      z.array(z.number().positive().max(1024)).min(1).max(16).optional(),
      ["run", "model"],
      "channels of each level as multiples of baseChannels; default: by the image size",
    ),
    blocksPerLevel: setting(count(1, 100), ["run", "model"], "residual blocks at each level"),
    attentionSizes: setting(
      z.array(count(1, 8192)).max(32).optional(),
      ["run", "model"],
      "sizes of the feature maps with attention; default: 32, 16 and 8, as published",
    ),
  }),
  diffusion: z.strictObject({
    steps: setting(count(2, 100_000), ["run", "model"], "time steps T of the noise schedule"),
    betaFrom: setting(z.number().gt(0).lt(1), ["run", "model"], "variance added at the first time step"),
    betaTo: setting(z.number().gt(0).lt(1), ["run", "model"], "variance added at the last time step"),
  }),
  training: z.strictObject({
    steps: setting(count(1), [], "optimiser steps"),
    batchSize: setting(count(1, 100_000), ["run"], "images a step"),
    microBatch: setting(
      count(1).optional(),
      [],
      "images per micro-batch; default: the whole batch, or what fits in memory",
    ),
    recompute: setting(z.boolean(), [], "gradient checkpointing: less memory, a third more arithmetic"),
    memory: setting(
      z.string().optional(),
      [],
      "GPU memory that training may take, such as 8GB; chooses microBatch and, if needed, recompute",
    ),
    learningRate: setting(z.number().positive(), ["run"], "highest learning rate"),
    schedule: setting(z.enum(["constant", "cosine"]), ["run"], "learning rate schedule after the warm-up"),
    warmup: setting(count(0), ["run"], "steps over which the learning rate rises from 0"),
    optimizer: setting(
      z.enum(["adam", "adamw"]),
      ["run"],
      "adam couples weight decay to the gradient, adamw does not",
    ),
    weightDecay: setting(z.number().min(0), ["run"], "weight decay"),
    lossReduction: setting(
      z.enum(["sum", "mean"]),
      ["run"],
      "reduction of the squared error over the values of an image",
    ),
    clip: setting(z.number().min(0), ["run"], "gradient clipping: largest norm; 0 does not clip"),
    ema: setting(fraction(), ["run"], "EMA decay of the weights used for evaluation; 0 keeps no EMA"),
    augmentation: setting(
      z.array(z.enum(augmentations)).max(augmentations.length),
      ["run"],
      "random changes of training images: horizontalFlip, verticalFlip, quarterTurn, brightness; only what leaves a good image good",
    ),
    progressive: setting(
      fraction(),
      ["run"],
      "fraction of the steps, the first ones, that is trained at half of data.imageSize with the same weights",
    ),
    maxTimestep: setting(count(0), ["run"], "largest time step trained on, inclusive"),
    seed: setting(count(0), ["run", "adaptation"], "seed of weights, noise, time steps and order"),
    checkpointEvery: setting(count(1), [], "steps between checkpoints"),
    logEvery: setting(count(1), [], "steps between lines of the log"),
  }),
  sampling: z.strictObject({
    start: setting(
      count(1, 100_000),
      ["calibration", "adaptation"],
      "time step to which the image is noised before it is reconstructed",
    ),
    stride: setting(count(1, 100_000), ["calibration", "adaptation"], "time steps between sampling steps"),
    steps: setting(
      count(1, 100_000).optional(),
      ["calibration", "adaptation"],
      "number of sampling steps, evenly spaced; default: by the stride, as published",
    ),
    guidance: setting(
      z.number().min(0),
      ["calibration", "adaptation"],
      "guidance w: how strongly the reconstruction follows the inspected image",
    ),
    limitGuidance: setting(
      z.boolean(),
      ["calibration", "adaptation"],
      "limit w (1 - alphaBar) to 1, so that no step overshoots the image",
    ),
    eta: setting(
      z.number().min(0).max(1),
      ["calibration", "adaptation"],
      "fresh noise in each step: 0 none (DDIM), 1 as much as DDPM",
    ),
    startNoise: setting(
      z.boolean(),
      ["calibration", "adaptation"],
      "start from the noised image rather than the scaled one",
    ),
    draws: setting(count(1, 64), ["calibration"], "reconstructions from different noise whose mean is taken"),
    from: setting(
      z.enum(["self", "nearest"]),
      ["calibration"],
      "what is noised: self is the inspected image, nearest the good training image nearest to it",
    ),
    seed: setting(count(0), ["calibration", "adaptation"], "seed of the noise"),
  }),
  features: z.strictObject({
    network: setting(
      z.enum(["none", ...extractorNetworks]),
      ["model", "calibration", "adaptation"],
      "pretrained network for the feature distance; none compares pixels only",
    ),
    weights: setting(
      z.string().min(1).optional(),
      [],
      "file of its weights; default: the one that ddad weights fetch stored",
    ),
    imageSize: setting(
      count(0, 8192),
      ["calibration"],
      "side to which smaller images are enlarged before features are compared; 0 leaves them as they are",
    ),
  }),
  nearest: z.strictObject({
    by: setting(
      z.enum(["features", "pixels"]),
      ["calibration"],
      "what the nearest good image is found by; default: features where a network compares them",
    ),
  }),
  patchcore: z.strictObject({
    channels: setting(
      z.enum(patchChannels),
      ["model"],
      "equal gives each stage as many channels, as the published code does; all keeps every channel, and stage 3 counts for more",
    ),
    fraction: setting(
      z.number().gt(0).max(1),
      ["model"],
      "fraction of the patches of good images that is kept",
    ),
    maxPatches: setting(count(1), ["model"], "largest number of patches that are kept"),
    neighbours: setting(
      count(1),
      ["calibration"],
      "neighbouring patches that weight the score of an image; 1 does not weight it",
    ),
    seed: setting(count(0), ["model"], "seed of the choice of patches"),
  }),
  adaptation: z.strictObject({
    steps: setting(
      count(0),
      [],
      "largest number of optimiser steps of the domain adaptation; 0 does not adapt",
    ),
    batchSize: setting(count(2, 100_000), ["adaptation"], "images a step: half of them inputs, half targets"),
    learningRate: setting(z.number().positive(), ["adaptation"], "learning rate of the domain adaptation"),
    weightDecay: setting(z.number().min(0), ["adaptation"], "weight decay of the domain adaptation"),
    distillation: setting(
      z.number().min(0),
      ["adaptation"],
      "weight of the distillation loss, which keeps the network near its start",
    ),
    guidance: setting(
      z.number().min(0),
      ["adaptation"],
      "guidance w of the reconstructions that it learns from",
    ),
    checkEvery: setting(count(1), [], "steps between validations, which choose the network that is kept"),
    patience: setting(count(1), [], "validations without improvement before early stopping"),
  }),
  detection: z.strictObject({
    distance: setting(
      z.enum(["whitened", "cosine"]),
      ["calibration"],
      "how features are compared: whitened takes off how they differ in good images; cosine as published",
    ),
    layers: setting(
      z
        .array(z.enum(["layer1", "layer2", "layer3"]))
        .min(1)
        .max(3)
        .optional(),
      ["calibration"],
      "layers of the network whose features are compared; default: all three where whitened, else layer2 and layer3",
    ),
    pixelWeight: setting(
      z.number().min(0),
      ["calibration"],
      "weight v of the pixel distance beside the feature distance",
    ),
    batchSize: setting(
      count(1),
      ["calibration"],
      "batch over which maxima are taken, in the paper's protocol",
    ),
    blurSigma: setting(
      z.number().min(0),
      ["calibration"],
      "standard deviation in pixels of the blur of the map; 0 does not blur",
    ),
    crop: setting(
      count(0),
      ["calibration"],
      "side of the centre crop that is scored; 0 scores the whole image",
    ),
    falseAlarmRate: setting(
      z.number().gt(0).lt(1).optional(),
      [],
      "accepted false-alarm rate: fraction of good images called defective; default: the lowest that the held-out images support, 1/(n+1)",
    ),
    pixelFalseAlarmRate: setting(
      z.number().gt(0).lte(0.5),
      [],
      "fraction of the pixels of good images that may be marked as defective",
    ),
  }),
});

/** A complete configuration. */
export type Config = z.infer<typeof configSchema>;

/** Which of the two ways of doing things; see `configSchema`. */
export type Protocol = Config["protocol"];

/** Any part of a configuration, with a data root; presets that it names and the protocol supply the rest. */
export type ConfigInput = {
  [Section in keyof Omit<Config, "data" | "protocol" | "preset" | "method" | "precision">]?: Partial<
    Config[Section]
  >;
} & {
  protocol?: Protocol;
  preset?: string | undefined;
  method?: Config["method"];
  precision?: Config["precision"];
  data: Partial<Config["data"]> & { root: string };
};
