/** Rules that tie settings together. */

import { defaultMultipliers } from "@ddad/nn/internal";
import type * as z from "zod";
import { samplingSteps } from "../diffusion/schedule.ts";
import { memoryForm, parseMemory } from "../memory/budget.ts";
import { presets, presetsNamed } from "./presets.ts";
import { nearestName } from "./problems.ts";
import type { Config } from "./schema.ts";

type Rule = {
  /** Settings it reads; it is left alone when one of them is wrong by itself. */
  reads: string[];
  /** A sentence when it is broken. */
  check(config: Config): string | undefined;
};

/** Image sizes for which the published network has channel multipliers. */
export const sizesWithMultipliers = [32, 64, 128, 256, 512];

/** Groups of every norm of the network. */
const normGroups = 32;

const range = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);

/** The value of a list that is nearest by its ratio, as sizes are. */
const nearestIn = (value: number, list: readonly number[]): number =>
  list.reduce((a, b) => (Math.abs(Math.log(b / value)) < Math.abs(Math.log(a / value)) ? b : a));

const rules: Rule[] = [
  {
    reads: ["method", "features.network"],
    check: ({ method, features: { network } }) =>
      (method === "patchcore" || method === "patchcore+nearest") && network === "none"
        ? `method ${method} compares features: name a network by features.network, such as resnet50.`
        : undefined,
  },
  {
    reads: ["method", "protocol"],
    check: ({ method, protocol }) =>
      method !== "ddad" && protocol === "paper"
        ? `method ${method} has no paper protocol, which is that of DDAD; leave protocol at strict.`
        : undefined,
  },
  {
    reads: ["protocol", "detection.distance"],
    check: ({ protocol, detection: { distance } }) =>
      protocol === "paper" && distance === "whitened"
        ? "detection.distance whitened needs a calibration, which the protocol paper does not have: take cosine."
        : undefined,
  },
  {
    reads: ["nearest.by", "features.network"],
    check: ({ nearest: { by }, features: { network } }) =>
      by === "features" && network === "none"
        ? "nearest.by features needs a network: name one by features.network, or take pixels."
        : undefined,
  },
  {
    reads: ["detection.layers"],
    check: ({ detection: { layers = [] } }) =>
      new Set(layers).size === layers.length
        ? undefined
        : `detection.layers names a layer twice: ${layers.join(", ")}; name each once.`,
  },
  {
    reads: ["sampling.draws", "sampling.startNoise", "sampling.eta"],
    check: ({ sampling: { draws, startNoise, eta } }) =>
      draws === 1 || startNoise || eta > 0
        ? undefined
        : `sampling.draws is ${draws}, but without noise all reconstructions are the same: set sampling.startNoise to true, or draws to 1.`,
  },
  {
    reads: ["preset"],
    check: ({ preset }) => {
      const named = preset === undefined ? [] : presetsNamed(preset);
      const unknown = named.find(({ preset: found }) => found === undefined);
      return unknown && unknownPreset(unknown.name);
    },
  },
  {
    reads: ["method", "data.imageSize", "model.channelMultipliers"],
    check: ({ method, data: { imageSize }, model: { channelMultipliers } }) => {
      if (method !== "ddad") return undefined;
      if (channelMultipliers === undefined) {
        return sizesWithMultipliers.includes(imageSize)
          ? undefined
          : `data.imageSize ${imageSize} has no network by default: take ${nearestIn(imageSize, sizesWithMultipliers)}, or another of ${sizesWithMultipliers.join(", ")}, or give model.channelMultipliers.`;
      }
      const factor = 2 ** (channelMultipliers.length - 1);
      return imageSize % factor === 0
        ? undefined
        : `data.imageSize must be a multiple of ${factor}, to be halved ${channelMultipliers.length - 1} times for ${channelMultipliers.length} levels, but is ${imageSize}.`;
    },
  },
  {
    reads: ["method", "model.baseChannels", "model.channelMultipliers", "data.imageSize"],
    check: ({ method, data: { imageSize }, model: { baseChannels, channelMultipliers } }) => {
      const multipliers = channelMultipliers ?? defaultMultipliers[imageSize];
      if (method !== "ddad" || multipliers === undefined) return undefined;
      const fits = (channels: number): boolean =>
        multipliers.every(
          (multiplier) => multiplier * channels >= normGroups && (multiplier * channels) % normGroups === 0,
        );
      if (fits(baseChannels)) return undefined;
      const given = multipliers.map((multiplier) => multiplier * baseChannels).join(", ");
      const rule = `model.baseChannels ${baseChannels} gives levels of ${given} channels, but each must be a multiple of ${normGroups}`;
      const lower = [...range(baseChannels)].reverse().find(fits);
      const higher = range(64 * normGroups).find((channels) => channels > baseChannels && fits(channels));
      const cures = [lower, higher].filter((channels) => channels !== undefined);
      return cures.length === 0
        ? `${rule}; change model.channelMultipliers.`
        : `${rule}: take ${cures.join(" or ")}.`;
    },
  },
  {
    reads: ["method", "training.progressive", "data.imageSize", "model.channelMultipliers"],
    check: ({ method, training: { progressive }, data: { imageSize }, model: { channelMultipliers } }) => {
      const levels = (channelMultipliers ?? defaultMultipliers[imageSize])?.length;
      if (method !== "ddad" || progressive === 0 || levels === undefined) return undefined;
      const factor = 2 ** levels;
      // Where not even the whole size fits the levels, another rule says so.
      if (imageSize % factor === 0 || imageSize % (factor / 2) !== 0) return undefined;
      const sizes = [imageSize - factor / 2, imageSize + factor / 2].filter((size) => size >= 8);
      return `training.progressive trains at half of data.imageSize first, to be halved ${levels - 1} times for ${levels} levels: data.imageSize must be a multiple of ${factor}, but is ${imageSize}; take ${sizes.join(" or ")}, or set training.progressive to 0.`;
    },
  },
  {
    reads: ["diffusion.betaFrom", "diffusion.betaTo"],
    check: ({ diffusion: { betaFrom, betaTo } }) =>
      betaFrom <= betaTo
        ? undefined
        : `diffusion.betaFrom must be at most diffusion.betaTo (${betaTo}), but is ${betaFrom}.`,
  },
  {
    reads: ["training.batchSize", "training.microBatch"],
    check: ({ training: { batchSize, microBatch } }) =>
      microBatch === undefined || batchSize % microBatch === 0
        ? undefined
        : `training.microBatch must divide training.batchSize (${batchSize}), but is ${microBatch}.`,
  },
  {
    reads: ["training.memory"],
    check: ({ training: { memory } }) =>
      memory === undefined || parseMemory(memory) !== undefined
        ? undefined
        : `training.memory must be ${memoryForm}, but is ${JSON.stringify(memory)}.`,
  },
  {
    reads: ["training.warmup", "training.steps"],
    check: ({ training: { warmup, steps } }) =>
      warmup < steps
        ? undefined
        : `training.warmup must be below training.steps (${steps}), but is ${warmup}.`,
  },
  {
    reads: ["training.maxTimestep", "diffusion.steps"],
    check: ({ training: { maxTimestep }, diffusion: { steps } }) =>
      maxTimestep < steps
        ? undefined
        : `training.maxTimestep must be below diffusion.steps (${steps}), but is ${maxTimestep}.`,
  },
  {
    reads: ["sampling.start", "diffusion.steps"],
    check: ({ sampling: { start }, diffusion: { steps } }) =>
      start < steps ? undefined : `sampling.start must be below diffusion.steps (${steps}), but is ${start}.`,
  },
  {
    reads: ["sampling.start", "sampling.steps"],
    check: ({ sampling: { start, steps = 1 } }) =>
      steps <= start
        ? undefined
        : `sampling.steps must be at most sampling.start (${start}), but is ${steps}.`,
  },
  {
    reads: ["sampling.start", "sampling.stride", "sampling.steps", "training.maxTimestep"],
    check: ({ sampling, training: { maxTimestep } }) => {
      if ((sampling.steps ?? 1) > sampling.start) return undefined;
      const first = samplingSteps(sampling)[0]!.t;
      const by = sampling.steps === undefined ? "sampling.start and sampling.stride" : "sampling.start";
      return first <= maxTimestep
        ? undefined
        : `training.maxTimestep must be at least ${first}, where ${by} first ${by === "sampling.start" ? "calls" : "call"} the network, but is ${maxTimestep}.`;
    },
  },
  {
    reads: ["detection.blurSigma", "data.imageSize"],
    check: ({ detection: { blurSigma }, data: { imageSize } }) =>
      // The blur reaches four deviations, and is reflected once at most.
      4 * blurSigma <= imageSize - 1
        ? undefined
        : `detection.blurSigma must be at most ${(imageSize - 1) / 4} for data.imageSize ${imageSize}, but is ${blurSigma}.`,
  },
  {
    reads: ["detection.crop", "data.imageSize", "protocol"],
    check: ({ protocol, detection: { crop }, data: { imageSize } }) =>
      protocol === "paper" || crop <= imageSize
        ? undefined
        : `detection.crop must be at most data.imageSize (${imageSize}), but is ${crop}.`,
  },
];

function unknownPreset(name: string): string {
  const guess = nearestName(
    name,
    presets.map((preset) => preset.name),
  );
  const cure =
    guess === undefined
      ? "there are quick, laptop, workstation, ddad-s and one for every category, such as mvtec/screw; ddad presets lists them."
      : `did you mean ${guess}?`;
  return `preset "${name}" does not exist; ${cure}`;
}

/** A sentence for every rule broken between settings that are right by themselves. */
export function brokenRules(config: object, issues: readonly z.core.$ZodIssue[]): string[] {
  const wrong = issues
    .filter((issue) => issue.code !== "unrecognized_keys")
    .map((issue) => issue.path.join("."));
  // A wrong section makes all its settings wrong, and a wrong entry its list.
  const isWrong = (setting: string): boolean =>
    wrong.some(
      (path) => path === setting || setting.startsWith(`${path}.`) || path.startsWith(`${setting}.`),
    );
  return rules
    .filter((rule) => !rule.reads.some(isWrong))
    .map((rule) => rule.check(config as Config))
    .filter((problem) => problem !== undefined);
}
