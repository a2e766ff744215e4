/** The network that predicts noise, and the loss that it learns from. */
import { addNoise, type RandomStream, type Tensor, UNet, type UNetOptions } from "@ddad/nn";
import type { Config } from "../config/schema.ts";
import { linearSchedule, type NoiseSchedule } from "./schedule.ts";

/** Whatever predicts the noise in an image; `UNet` is one. */
export type Denoiser = {
  /**
   * @param x noised images `[N, H, W, C]`
   * @param t their time steps `[N]`
   * @returns the noise in them, `[N, H, W, C]`
   */
  forward(x: Tensor, t: Tensor, options?: { readonly random?: RandomStream | undefined }): Tensor;
};

/** What the network of a configuration is built with. */
export function unetOptions({ data, model }: Pick<Config, "data" | "model">): UNetOptions {
  const { baseChannels, heads, dropout, channelMultipliers, blocksPerLevel, attentionSizes } = model;
  return {
    imageSize: data.imageSize,
    inChannels: 3,
    baseChannels,
    heads,
    dropout,
    blocksPerLevel,
    ...(channelMultipliers && { channelMultipliers }),
    ...(attentionSizes && { attentionSizes }),
  };
}

/** The network of a configuration, with initial weights from its training seed. */
export const createDenoiser = (config: Pick<Config, "data" | "model" | "precision" | "training">): UNet =>
  new UNet({
    ...unetOptions(config),
    precision: config.precision,
    recompute: config.training.recompute,
    seed: config.training.seed,
  });

/** The noise schedule of a configuration. */
export const createSchedule = ({ diffusion }: Pick<Config, "diffusion">): NoiseSchedule =>
  linearSchedule({ steps: diffusion.steps, from: diffusion.betaFrom, to: diffusion.betaTo });

/** What a denoising loss is computed from; N images. */
export type NoisedBatch = {
  /** Clean images `[N, H, W, C]` in [−1, 1]. */
  readonly x: Tensor;
  /** Standard normal noise, `[N, H, W, C]`. */
  readonly noise: Tensor;
  /** Time steps `[N]`. */
  readonly t: Tensor;
  /** ᾱ of the time steps, `[N]`. */
  readonly alphaBar: Tensor;
};

/** (ε − ε̂(√ᾱ x + √(1−ᾱ) ε, t))², `[N, H, W, C]`: equation 4 of the paper before it is reduced. */
export function denoisingError(
  denoiser: Denoiser,
  { x, noise, t, alphaBar }: NoisedBatch,
  random?: RandomStream,
): Tensor {
  const noised = addNoise(x, noise, alphaBar);
  return noise.sub(denoiser.forward(noised, t, random && { random })).square();
}
