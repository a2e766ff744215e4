/**
 * The settings of a run: one schema says which there are, what they mean and what they may be. What is not given
 * comes from presets and the protocol, so a resolved configuration is complete and can be stored with its result.
 */
import * as z from "zod";
import { defaultsFor } from "./config/defaults.ts";
import { withPresets } from "./config/presets.ts";
import { describeIssues } from "./config/problems.ts";
import { brokenRules } from "./config/rules.ts";
import { isRecord, mergeConfig } from "./config/settings.ts";
import { datasetFormats } from "./datasets/sample.ts";
import { ConfigError } from "./errors.ts";
import { extractorNetworks } from "./features.ts";

const count = (least: number) => z.int().min(least);
const share = () => z.number().min(0).lt(1);

/** Every setting with its bounds and a description, as zod's schema of a complete configuration. */
export const configSchema = z.strictObject({
  protocol: z
    .enum(["strict", "paper"])
    .describe("strict repairs what misleads in the published code, paper does as it does"),
  preset: z
    .string()
    .min(1)
    .optional()
    .describe("settings by name, such as mvtec/screw or quick, below those that are given; several with +"),
  method: z
    .enum(["ddad", "patchcore"])
    .describe(
      "ddad compares pictures with their reconstructions, patchcore their patches with those of good pictures",
    ),
  precision: z
    .enum(["f32", "mixed"])
    .describe("mixed has features and weights of the network in half precision, where the adapter can"),
  data: z.strictObject({
    root: z.string().min(1).describe("folder of the data set"),
    category: z
      .string()
      .min(1)
      .optional()
      .describe("folder below the root, where the root holds several data sets"),
    test: z.string().min(1).optional().describe("test folder, where it is not test below the data set"),
    format: z
      .enum(datasetFormats)
      .optional()
      .describe("layout of the data set, where it could be more than one"),
    imageSize: count(8).describe("side in pixels to which every picture is resized"),
    heldOut: share().describe(
      "share of the good training pictures held back to choose the checkpoint and threshold",
    ),
    splitSeed: count(0).describe("seed of the hash by which pictures are divided"),
  }),
  model: z.strictObject({
    variant: z
      .enum(["ddad", "ddad-s"])
      .describe("the paper's network or its small one; the settings below refine it"),
    baseChannels: count(1).describe("channels of the first level"),
    heads: count(1).describe("attention heads"),
    dropout: share().describe("share of activations dropped in training"),
    channelMultipliers: z
      .array(z.number().positive())
      .min(1)
      .optional()
      .describe("channels of every level as multiples of baseChannels; otherwise from the image size"),
    blocksPerLevel: count(1).describe("residual blocks at every level"),
    attentionSizes: z
      .array(count(1))
      .optional()
      .describe("sizes of the feature maps that have attention; otherwise 32, 16 and 8, as published"),
  }),
  diffusion: z.strictObject({
    steps: count(2).describe("time steps T of the noise schedule"),
    betaFrom: z.number().gt(0).lt(1).describe("variance added at the first time step"),
    betaTo: z.number().gt(0).lt(1).describe("variance added at the last time step"),
  }),
  training: z.strictObject({
    steps: count(1).describe("optimiser steps"),
    batchSize: count(1).describe("pictures a step"),
    microBatch: count(1).optional().describe("pictures at a time, where the batch does not fit in memory"),
    recompute: z
      .boolean()
      .describe("compute blocks again for the gradient: less memory, a third more arithmetic"),
    memory: z
      .string()
      .optional()
      .describe(
        "device memory that training may take, such as 8GB: chooses microBatch, and recompute if need be",
      ),
    learningRate: z.number().positive().describe("highest learning rate"),
    schedule: z.enum(["constant", "cosine"]).describe("course of the learning rate after the warm-up"),
    warmup: count(0).describe("steps over which the learning rate rises from 0"),
    optimizer: z
      .enum(["adam", "adamw"])
      .describe("adam couples weight decay to the gradient, adamw does not"),
    weightDecay: z.number().min(0).describe("pull of the weights towards 0"),
    lossReduction: z
      .enum(["sum", "mean"])
      .describe("sum or mean of the squared error over the values of a picture"),
    clip: z.number().min(0).describe("largest norm of the gradient; 0 does not clip"),
    ema: share().describe("decay of the running mean of the weights that is evaluated; 0 keeps none"),
    maxTimestep: count(0).describe("largest time step trained on, itself included"),
    seed: count(0).describe("seed of weights, noise, time steps and order"),
    checkpointEvery: count(1).describe("steps between checkpoints"),
    logEvery: count(1).describe("steps between lines of the log"),
  }),
  sampling: z.strictObject({
    start: count(1).describe("time step to which the picture is noised"),
    stride: count(1).describe("time steps between calls of the network"),
    calls: count(1)
      .optional()
      .describe(
        "calls of the network, evenly spaced from the start on; otherwise by the stride, as published",
      ),
    guidance: z.number().min(0).describe("w, the pull towards the inspected picture"),
    limitGuidance: z
      .boolean()
      .describe("keep w (1 - alphaBar) at 1 or below, so that no step overshoots the picture"),
    eta: z.number().min(0).max(1).describe("fresh noise in every step: 0 is none, 1 as much as DDPM"),
    startNoise: z.boolean().describe("start from the noised picture rather than the scaled one"),
    seed: count(0).describe("seed of the noise"),
  }),
  features: z.strictObject({
    network: z
      .enum(["none", ...extractorNetworks])
      .describe("network by whose features pictures are compared as well; none compares pixels only"),
    weights: z
      .string()
      .min(1)
      .optional()
      .describe("file of its weights; otherwise the one that ddad weights fetch stored"),
  }),
  patchcore: z.strictObject({
    fraction: z.number().gt(0).max(1).describe("share of the patches of good pictures that is kept"),
    maxPatches: count(1).describe("most patches that are kept"),
    neighbours: count(1).describe("patches by which the score of a picture is weighed; 1 does not weigh it"),
    seed: count(0).describe("seed of the choice among the patches"),
  }),
  adaptation: z.strictObject({
    steps: count(0).describe("most optimiser steps of the adaptation of that network; 0 leaves it as it is"),
    batchSize: count(2).describe("pictures a step: half of them are inputs, half targets"),
    learningRate: z.number().positive().describe("learning rate of the adaptation"),
    weightDecay: z.number().min(0).describe("pull of its weights towards 0"),
    distillation: z.number().min(0).describe("weight of what holds the network to its weights at the start"),
    guidance: z.number().min(0).describe("w of the reconstructions that it learns from"),
    checkEvery: count(1).describe(
      "steps between looks at held-out pictures, which choose the network that is kept",
    ),
    patience: count(1).describe("looks without a better network after which the adaptation stops"),
  }),
  detection: z.strictObject({
    pixelWeight: z
      .number()
      .min(0)
      .describe("v, what the pixel distance counts for beside the feature distance"),
    batchSize: count(1).describe("pictures whose maxima are shared, in the paper's protocol"),
    blurSigma: z.number().min(0).describe("deviation in pixels of the blur of the map; 0 does not blur"),
    crop: count(0).describe("side of the middle square that is scored; 0 scores the whole frame"),
    falseAlarmRate: z
      .number()
      .gt(0)
      .lt(1)
      .describe("share of good pictures that the threshold lets be called defective"),
    pixelFalseAlarmRate: z
      .number()
      .gt(0)
      .lte(0.5)
      .describe("share of the pixels of good pictures that may be marked as defective"),
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

/** Fills a configuration up with its presets and the defaults of its protocol, and checks it. @throws ConfigError as `parseConfig`. */
export function resolveConfig(input: ConfigInput): Config {
  return parseConfig(input);
}

/**
 * Like `resolveConfig`, for what comes from outside: a file, a command line, a checkpoint.
 *
 * @throws ConfigError with every problem found, one sentence each.
 */
export function parseConfig(input: unknown): Config {
  if (!isRecord(input)) throw new ConfigError(["A configuration must be a set of named settings."]);
  const given = withPresets(input);
  const complete = mergeConfig(defaultsFor(given), given);
  const { success, data, error } = configSchema.safeParse(complete);
  const issues = error?.issues ?? [];
  const problems = [...describeIssues(issues, complete, configSchema), ...brokenRules(complete, issues)];
  if (!success || problems.length > 0) throw new ConfigError(problems);
  return data;
}
