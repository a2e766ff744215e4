/** `training.progressive`: how many steps are trained at half the image size, and with which settings. */
import { defaultMultipliers, planUNet } from "@ddad/nn/internal";
import { unetOptions } from "../diffusion/denoiser.ts";
import type { Config } from "./schema.ts";

/** Steps at half the image size, the first ones of a training; the last step is always one at the whole size. */
export const stepsAtHalfSize = ({
  steps,
  progressive,
}: Pick<Config["training"], "steps" | "progressive">): number =>
  Math.min(Math.round(progressive * steps), steps - 1);

/**
 * The settings of the first phase: images of half the size, and the very parameters of the whole network, as the multipliers
 * of its levels are written out and its attention stays at the same levels. No phase comes before this one.
 *
 * @param config whose rules hold: half of data.imageSize fits the levels
 */
export function halfSizeConfig<C extends Pick<Config, "data" | "model" | "training">>(config: C): C {
  const { data, model, training } = config;
  const { levels, attentionFactors } = planUNet(unetOptions(config));
  const imageSize = data.imageSize / 2;
  const attentionSizes = levels.flatMap((_, level) =>
    attentionFactors.has(2 ** level) ? [imageSize / 2 ** level] : [],
  );
  const channelMultipliers = model.channelMultipliers ?? [...defaultMultipliers[data.imageSize]!];
  return {
    ...config,
    data: { ...data, imageSize },
    model: { ...model, channelMultipliers, attentionSizes },
    training: { ...training, progressive: 0 },
  };
}
