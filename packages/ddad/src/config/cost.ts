/** What a denoiser costs, known from its configuration: no device is asked. */
import { defaultMultipliers, unetLayout } from "@ddad/nn/internal";
import { unetOptions } from "../diffusion/denoiser.ts";
import { samplingSteps } from "../diffusion/schedule.ts";
import { halfSizeConfig, stepsAtHalfSize } from "./progressive.ts";
import type { Config } from "./schema.ts";

/** Parameters and floating-point operations; a multiply-add counts 2. */
export type DenoiserCost = {
  readonly parameters: number;
  /** One call of the network for one image. */
  readonly gflopPerCall: number;
  /** A reconstruction of one image: all sampling steps. */
  readonly gflopPerImage: number;
  /** One optimiser step at the whole image size: forwards and backwards over the batch, three forward passes an image. */
  readonly gflopPerStep: number;
  /** All optimiser steps; those at half the image size, of `training.progressive`, take about a quarter each. */
  readonly gflopOfTraining: number;
};

/**
 * Floating-point operations of convolutions, linear layers and attention, a multiply-add counting 2; norms, activations
 * and the feature extractor come on top.
 */
export function costOf(config: Pick<Config, "data" | "model" | "training" | "sampling">): DenoiserCost {
  const { training, sampling } = config;
  const layers = layersOf(config);
  const gflopPerCall = layers.reduce((sum, { gflop }) => sum + gflop, 0);
  const gflopPerStep = 3 * training.batchSize * gflopPerCall;
  const atHalf = stepsAtHalfSize(training);
  const gflopAtHalf = atHalf === 0 ? 0 : costOf(halfSizeConfig(config)).gflopPerStep;
  return {
    parameters: layers.reduce((sum, layer) => sum + layer.parameters, 0),
    gflopPerCall,
    gflopPerImage: samplingSteps(sampling).length * sampling.draws * gflopPerCall,
    gflopPerStep,
    gflopOfTraining: atHalf * gflopAtHalf + (training.steps - atHalf) * gflopPerStep,
  };
}

/**
 * What is left of a training after `step`, counted in steps like the last one: those at the whole image size take longer than the
 * ones at half of it, of `training.progressive`.
 */
export function stepsLeft(config: Parameters<typeof costOf>[0], step: number): number {
  const { steps } = config.training;
  const boundary = stepsAtHalfSize(config.training);
  if (step >= boundary) return steps - step;
  const ratio = costOf(config).gflopPerStep / costOf(halfSizeConfig(config)).gflopPerStep;
  return boundary - step + (steps - boundary) * ratio;
}

/** Layers of a denoiser that work on feature maps of one size, by the one of them that costs most. */
export type CostPart = {
  readonly kind: "convolution" | "attention";
  /** Side of the feature maps. */
  readonly size: number;
  /** Channels of that layer. */
  readonly inputs: number;
  readonly outputs: number;
  /** Its own operations for one image, in 1e9, and those of all these layers. */
  readonly gflop: number;
  readonly gflopOfAll: number;
};

/** The work of one call of a denoiser by the size of its feature maps: what is measured to know how fast an adapter is. */
export function costParts(config: Pick<Config, "data" | "model">): CostPart[] {
  const parts = new Map<string, CostPart>();
  for (const { attention, size, inputs, outputs, gflop } of layersOf(config)) {
    for (const [kind, own] of [
      ["convolution", gflop - attention],
      ["attention", attention],
    ] as const) {
      if (own === 0) continue;
      const known = parts.get(`${kind} ${size}`);
      const gflopOfAll = (known?.gflopOfAll ?? 0) + own;
      const most = known && known.gflop >= own ? known : { kind, size, inputs, outputs, gflop: own };
      parts.set(`${kind} ${size}`, { ...most, gflopOfAll });
    }
  }
  return [...parts.values()];
}

type Layer = {
  readonly size: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly parameters: number;
  /** Of one call for one image, in 1e9; `attention` is the part of it that grows with the square of the positions. */
  readonly gflop: number;
  readonly attention: number;
};

function layersOf(config: Pick<Config, "data" | "model">): Layer[] {
  const { imageSize } = config.data;
  const { blocksPerLevel, channelMultipliers } = config.model;
  const levels = (channelMultipliers ?? defaultMultipliers[imageSize])!.length;
  return [...unetLayout(unetOptions(config))].map(([name, shape]) => {
    const parameters = shape.reduce((product, extent) => product * extent, 1);
    // The network's layouts are PyTorch's: outputs come first. Vectors are biases, and the scales of norms.
    const [outputs, inputs] = [shape[0]!, shape[1] ?? 0];
    const embeds = name.includes("embed");
    const size = embeds ? 1 : imageSize / 2 ** levelOf(name, levels, blocksPerLevel);
    if (shape.length < 2) return { size, inputs, outputs, parameters, gflop: 0, attention: 0 };
    const attention = name.endsWith("to_qkv.weight") ? (4 * size ** 4 * inputs) / 1e9 : 0;
    return {
      ...{ size, inputs, outputs, parameters, attention },
      gflop: (2 * parameters * size ** 2) / 1e9 + attention,
    };
  });
}

/** How often the image has been halved where a layer works, by the layer's place in the published network. */
function levelOf(name: string, levels: number, blocksPerLevel: number): number {
  const [part, stageText, layerText] = name.split(".");
  const stage = Number(stageText);
  const perLevel = blocksPerLevel + 1;
  switch (part) {
    case "down":
      // The input's convolution, then of every level its blocks and one that divides the size by two before it convolves.
      return Math.ceil(Math.max(stage - blocksPerLevel, 0) / perLevel);
    case "middle":
      return levels - 1;
    case "up": {
      const level = levels - 1 - Math.floor(stage / perLevel);
      // A second residual block in a stage doubles the size before it convolves.
      const doubles = Number(layerText) > 0 && /in_layers|out_layers|embed_layers|skip/.test(name);
      return doubles ? level - 1 : level;
    }
    default:
      return 0;
  }
}
