/** What a denoiser costs, known from its configuration: no device is asked. */
import { defaultMultipliers, unetLayout } from "@ddad/nn/internal";
import { unetOptions } from "../diffusion/denoiser.ts";
import { samplingSteps } from "../diffusion/schedule.ts";
import type { Config } from "./schema.ts";

/** Parameters and floating-point operations; a multiply-add counts 2. */
export type DenoiserCost = {
  readonly parameters: number;
  /** One call of the network for one image. */
  readonly gflopPerCall: number;
  /** A reconstruction of one image: all sampling steps. */
  readonly gflopPerImage: number;
  /** One optimiser step: forwards and backwards over the batch, three forward passes an image. */
  readonly gflopPerStep: number;
  /** All optimiser steps. */
  readonly gflopOfTraining: number;
};

/**
 * Floating-point operations of convolutions, linear layers and attention, a multiply-add counting 2; norms, activations
 * and the feature extractor come on top.
 */
export function costOf(config: Pick<Config, "data" | "model" | "training" | "sampling">): DenoiserCost {
  const { training, sampling } = config;
  const { imageSize } = config.data;
  const { blocksPerLevel, channelMultipliers } = config.model;
  const layout = unetLayout(unetOptions(config));
  const levels = (channelMultipliers ?? defaultMultipliers[imageSize])!.length;
  const sizeOf = (name: string): number => imageSize / 2 ** levelOf(name, levels, blocksPerLevel);
  let parameters = 0;
  let multiplyAdds = 0;
  for (const [name, shape] of layout) {
    const weights = shape.reduce((product, extent) => product * extent, 1);
    parameters += weights;
    // The vectors are biases, and the scales of norms.
    if (shape.length < 2) continue;
    const positions = name.includes("embed") ? 1 : sizeOf(name) ** 2;
    multiplyAdds += weights * positions;
    if (name.endsWith("to_qkv.weight")) multiplyAdds += 2 * positions ** 2 * shape[1]!;
  }
  const gflopPerCall = (2 * multiplyAdds) / 1e9;
  const gflopPerStep = 3 * training.batchSize * gflopPerCall;
  return {
    parameters,
    gflopPerCall,
    gflopPerImage: samplingSteps(sampling).length * gflopPerCall,
    gflopPerStep,
    gflopOfTraining: training.steps * gflopPerStep,
  };
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
